"""``%%batch``: capture, submit, follow, write the namespace."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from nbbatch.backends.base import Call
from nbbatch.calling import cell_label, tidy_name
from nbbatch.capture import Cell, parse_cell, wanted
from nbbatch.capture.values import Scene, capture_cell
from nbbatch.catching import settle
from nbbatch.errors import JobTimeoutError
from nbbatch.follow import (
    Detached,
    Follower,
    Pauses,
    awaiting,
    blocking,
    completed,
    fitting_emitter,
    following,
    show_detached,
    starting,
    stoppable,
)
from nbbatch.futures.job import Job
from nbbatch.futures.lazy import lazy_results
from nbbatch.magics.arrivals import arrived, arrives
from nbbatch.magics.expected import expect, expected
from nbbatch.magics.grid import parameters, points
from nbbatch.magics.line import CellLine, parse_line
from nbbatch.magics.namespace import bind, write_results
from nbbatch.magics.sweep import NAME, check_parameters, planned, sweep, take_table
from nbbatch.options import Options
from nbbatch.origin import notebook
from nbbatch.session import Session, Work, current_session
from nbbatch.wire.spec import JobSpec

__all__ = ["run_cell", "run_cell_async", "take_results"]


def run_cell(shell: Any, line: str, body: str) -> Job[Any] | None:
    """Run the body of a ``%%batch`` cell as a job.

    Returns
    -------
    Job or None
        The job where the line says ``--detach``.

    Raises
    ------
    NbbatchError
        It was not started, or ended without results; the namespace is as it was.
    BaseException
        What the cell raised; what it had bound until then is in the namespace.
    """
    return completed(_run(shell, line, body, blocking))()


async def run_cell_async(shell: Any, line: str, body: str) -> Job[Any] | None:
    """Do the same in a cell that awaits: the kernel's event loop runs while the job does."""
    with stoppable():
        return (await _run(shell, line, body, awaiting))()


#: What is left to do once the job has ended: a plain function, since what a cell raised may be a
#: `StopIteration`, which Python lets out of no coroutine.
_Rest = Callable[[], "Job[Any] | None"]


async def _run(shell: Any, line: str, body: str, pauses: Pauses) -> _Rest:
    asked = parse_line(line)
    session = current_session()
    options = session.options(asked.options)
    cell = _parsed(shell, line, body)
    if asked.axes:
        return await _swept(shell, _Swept(cell, asked, options), pauses)
    work = _work(shell, cell, asked, options)
    if asked.dry_run:
        print(_planned(session, work, options))
        return lambda: None
    follower = Follower()
    with starting(follower, work.spec.name, detachable=not asked.detach) as steps:
        job = session.submit(replace(work, say=steps), options, follower)
    if asked.as_name is not None:
        bind(shell, {asked.as_name: job})
    left = partial(_left, shell, job, cell, asked)
    if not asked.detach:
        return await _follow(shell, job, follower, pauses, left)
    left()
    if fitting_emitter().takes_text:
        show_detached(job, follower)
    return lambda: job


class _Swept(NamedTuple):
    cell: Cell
    asked: CellLine
    options: Options


async def _swept(shell: Any, wanted: _Swept, pauses: Pauses) -> _Rest:
    """Run a cell for each point of a grid; see `nbbatch.magics.sweep`."""
    cell, asked, options = wanted
    session, names = current_session(), parameters(asked.axes)
    check_parameters(names, asked.names_out)
    reads = cell.names.reads - set(names)
    work = _work(shell, replace(cell, names=replace(cell.names, reads=reads)), asked, options)
    grid = points(asked.axes, shell.user_ns)
    if asked.dry_run:
        print(_planned(session, planned(session, work, grid, options), options))
        return lambda: None
    follower, name = Follower(), asked.as_name or NAME
    scene = _scene(cell)
    with starting(follower, work.spec.name, detachable=not asked.detach) as steps:
        job = sweep(session, replace(work, say=steps), scene, grid, options, follower)
    bind(shell, {name: job})
    if asked.detach:
        if fitting_emitter().takes_text:
            show_detached(job, follower)
        return lambda: job
    try:
        await following(job, follower, fitting_emitter(), detachable=True, pauses=pauses)
    except Detached:
        return lambda: job
    return partial(take_table, shell, job, name)


def _left(shell: Any, job: Job[Any], cell: Cell, asked: CellLine) -> None:
    """Have what a detached cell binds arrive later, and be of use to other cells until then."""
    names = cell.names.reads | cell.names.binds | cell.names.deletes
    arrives(shell, job, names.union(asked.names_in))
    expect(shell, job, cell, asked.names_out)


async def _follow(
    shell: Any, job: Job[Any], follower: Follower, pauses: Pauses, left: Callable[[], None]
) -> _Rest:
    try:
        await following(job, follower, fitting_emitter(), detachable=True, pauses=pauses)
    except Detached:
        left()
        return lambda: job
    return partial(take_results, shell, job)


def take_results(shell: Any, job: Job[Any]) -> None:
    """Write a finished job's variables into the namespace; raise, or catch, what went wrong.

    One that ran out of time brings back what it had bound by then.
    """
    arrived(shell, job)
    lost = job.lost()
    if lost is None or isinstance(lost, JobTimeoutError):
        write_results(shell, lazy_results(job))
    error = None if job.lazy and job.facts.outcome == "ok" else job.exception()
    if error is not None:
        raise error
    settle(job, partial(bind, shell))


def _scene(cell: Cell) -> Scene:
    return Scene(Path.cwd(), cell.names.imports, cell_label, cell.names.words)


def _work(shell: Any, cell: Cell, asked: CellLine, options: Options) -> Work:
    stand_ins, more = expected(shell, {*cell.names.reads, *asked.names_in})
    found = wanted(cell.names.reads | more, shell.user_ns, hidden=shell.user_ns_hidden)
    captured = capture_cell(
        sorted({*found, *stand_ins, *asked.names_in}),
        shell.user_ns,
        _scene(cell),
        optional=cell.names.binds - set(asked.names_in),
        stand_ins=stand_ins,
    )
    name = options.name or tidy_name(f"cell-{_number(shell)}")
    spec = JobSpec(
        kind="cell",
        name=name,
        source=cell.source,
        filename=cell.filename,
        first_line=cell.first_line,
        silent=cell.silent,
        needs=tuple(sorted(cell.needs_ipython)),
        out=asked.names_out,
        sources={cell.filename: (cell_label(cell.filename) or name, "\n" + cell.source)},
    )
    return Work(spec, captured, notebook())


def _parsed(shell: Any, line: str, body: str) -> Cell:
    cell = parse_cell(body, shell.transform_cell, first_line=2)
    # The shell knows the job's code by this name from now on: tracebacks say "Cell In[3]".
    # The text must be Python, or they can't quote it; so the magic's line is a comment.
    text = f"# %%batch {line}\n{cell.source}"
    filename = shell.compile.cache(text, _number(shell), raw_code=text)
    return replace(cell, filename=filename)


def _number(shell: Any) -> int:
    """Return the number in the cell's prompt; `execution_count` may already be the next."""
    return max(len(shell.user_ns.get("In", ())) - 1, 0) or int(shell.execution_count)


def _planned(session: Session, work: Work, options: Options) -> str:
    plan = session.plan(work, options)
    inputs = ", ".join(work.captured.inputs) or "none"
    lines = [f"variables that would travel: {inputs}"]
    lines += [_call(call) for call in plan]
    asks = (options.conda, options.python, options.pypi, options.requirements)
    if work.captured.wants or any(asks):
        lines.append(session.supply.described(work.captured, options))
    return "\n".join([*lines, "nothing was sent"])


def _call(call: Call) -> str:
    parameters = json.dumps(dict(call.parameters), indent=2, default=str)
    return f"{call.service}:{call.operation} {parameters}"
