"""Results of detached cells arrive by themselves, and never in the middle of another cell.

Where a kernel is idle they arrive at once, in its event loop; else when the cell that runs has
ended, or before the next one begins. A name that the notebook has bound anew in the meantime
stays as it is, unless an earlier detached cell has bound it.
"""

from __future__ import annotations

import contextlib
import copy
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from nbbatch.errors import JobTimeoutError, NbbatchError
from nbbatch.futures.job import Job
from nbbatch.futures.lazy import lazy_results
from nbbatch.futures.returning.results import Results
from nbbatch.magics.namespace import bind, remembered, write_results

__all__ = ["arrived", "arrives", "deliver"]

_NOTHING = object()


@dataclass
class _Awaited:
    """A detached cell: its place among them, and what its names stood for when it was started."""

    job: Job[Any]
    number: int
    before: dict[str, Callable[[], Any]]


@dataclass
class _Desk:
    """What one notebook waits for.

    Attributes
    ----------
    written
        What arrived under each name, and the place of the cell that it came from.
    notes
        What is to be said when there is a cell to say it under.
    """

    awaited: list[_Awaited] = field(default_factory=list)
    written: dict[str, tuple[Callable[[], Any], int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    count: int = 0


_desks: weakref.WeakKeyDictionary[Any, _Desk] = weakref.WeakKeyDictionary()


def arrives(shell: Any, job: Job[Any], names: Iterable[str]) -> None:
    """Write what a detached cell binds when it is done.

    Parameters
    ----------
    names
        What it may bind or change, as far as is known.
    """
    desk = _desks.get(shell)
    if desk is None:
        desk = _desks[shell] = _Desk()
        shell.events.register("pre_run_cell", lambda *_: deliver(shell))
        shell.events.register("post_run_cell", lambda *_: deliver(shell))
    before = {name: remembered(shell.user_ns.get(name, _NOTHING)) for name in names}
    desk.count += 1
    desk.awaited.append(_Awaited(job, desk.count, before))
    job.add_done_callback(lambda _: _wake(shell))


def arrived(shell: Any, job: Job[Any]) -> None:
    """Take it that somebody has fetched a job's results: they need not arrive any more."""
    desk = _desks.get(shell)
    if desk is not None:
        desk.awaited = [each for each in desk.awaited if each.job.id != job.id]


def deliver(shell: Any, *, told: bool = True) -> None:
    """Write what has come, unless a cell runs just now; in the main thread.

    Parameters
    ----------
    told
        Whether there is a cell under which something can be said.
    """
    desk = _desks.get(shell)
    if desk is None or _runs_a_cell(shell):
        return
    for each in [each for each in desk.awaited if each.job.done()]:
        _take(shell, desk, each)
        desk.awaited.remove(each)
    while told and desk.notes:
        print(f"nbbatch: {desk.notes.pop(0)}", file=sys.stderr)


def _wake(shell: Any) -> None:
    """Have an idle kernel take what has come; on any thread."""
    loop = getattr(getattr(shell, "kernel", None), "io_loop", None)
    if loop is not None:
        # A kernel that ends has no loop any more.
        with contextlib.suppress(RuntimeError):
            loop.add_callback(deliver, shell, told=False)


def _runs_a_cell(shell: Any) -> bool:
    # IPython sets its own hook for as long as a cell runs, one that awaits too.
    return sys.displayhook is shell.displayhook


def _take(shell: Any, desk: _Desk, each: _Awaited) -> None:
    job = each.job
    name = f"{job.name} (job {job.id})"
    try:
        lost = job.lost()
        if lost is None or isinstance(lost, JobTimeoutError):
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                write_results(shell, _fitting(shell, desk, each, lazy_results(job)))
            desk.notes += [f"{name}: {one.message}" for one in said]
        if job.catch:
            bind(shell, {job.catch: job.caught})
        if job.facts.outcome != "ok" and job.caught is None:
            desk.notes.append(
                f"{name} failed: {job.facts.message}; %batch attach {job.id} shows it"
            )
    except NbbatchError as error:
        desk.notes.append(f"{name} is done, and its results can't be had: {error}")
    # What a value does when it is unpickled is the user's code.
    except Exception as error:
        desk.notes.append(f"{name} is done, and its results can't be had: {error!r}")


def _fitting(shell: Any, desk: _Desk, each: _Awaited, results: Results) -> Results:
    """Leave out the names that stand for something newer."""
    names = {*results.variables, *results.deleted}
    kept = {name for name in names if not _may_write(shell, desk, each, name)}
    values = {name: value for name, value in results.variables.items() if name not in kept}
    for name in names - kept:
        desk.written[name] = (remembered(values.get(name, _NOTHING)), each.number)
    fitting = copy.copy(results)
    fitting.variables = values
    fitting.deleted = tuple(name for name in results.deleted if name not in kept)
    fitting.changed = tuple(name for name in results.changed if name not in kept)
    return fitting


def _may_write(shell: Any, desk: _Desk, each: _Awaited, name: str) -> bool:
    now = shell.user_ns.get(name, _NOTHING)
    before = each.before.get(name)
    if before is None or before() is now:
        return True
    value, number = desk.written.get(name, (None, 0))
    if value is not None and value() is now:
        return number < each.number
    where = f"nbbatch.attach({each.job.id!r}).result()[{name!r}]"
    desk.notes.append(
        f"{name} was bound anew since {each.job.name} was started, and stays as it is; "
        f"{where} is what came back"
    )
    return False
