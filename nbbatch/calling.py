"""A function call as a job: what `@batch` does on this side."""

from __future__ import annotations

import functools
import inspect
import linecache
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbbatch.caching import tallied
from nbbatch.capture.items import Needs, capture_items
from nbbatch.capture.values import Scene, capture_call
from nbbatch.catching import settle
from nbbatch.follow import Follower, fitting_emitter, follow, show_detached, starting
from nbbatch.futures.array.chunks import Chunksize, chunked
from nbbatch.futures.array.job import ArrayJob
from nbbatch.futures.job import Job
from nbbatch.futures.lazy import lazy_value
from nbbatch.options import Options
from nbbatch.origin import notebook
from nbbatch.session import Packing, Session, Work, check_array, current_session
from nbbatch.wire.spec import JobSpec

__all__ = ["call", "call_async", "cell_label", "spread", "submit"]


def submit(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
    follower: Follower | None = None,
) -> Job[Any]:
    """Start a call as a job and return it.

    Raises
    ------
    NbbatchError
        It was not started; nothing of it is left behind.
    """
    session = current_session()
    merged = session.options(options)
    scene = Scene(Path.cwd(), label=cell_label)
    captured = capture_call(function, args, kwargs, scene)
    name = merged.name or tidy_name(getattr(function, "__name__", "function"))
    spec = JobSpec(kind="call", name=name)
    if follower is None:
        return session.submit(Work(spec, captured, notebook()), merged)
    with starting(follower, name) as steps:
        return session.submit(Work(spec, captured, notebook(), steps), merged, follower)


def spread(
    function: Callable[..., Any],
    arguments: Iterable[tuple[Any, ...]],
    count: int | None,
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
    chunksize: Chunksize,
) -> ArrayJob[Any]:
    """Start one array job that calls a function with each item, and return it.

    Parameters
    ----------
    arguments
        The positional ones of each call; read once, and not held.
    count
        How many calls there are, if that is known.

    Raises
    ------
    NbbatchError
        It was not started; nothing of it is left behind.
    """
    session = current_session()
    merged = session.options(options)
    scene = Scene(Path.cwd(), label=cell_label)
    name = merged.name or tidy_name(getattr(function, "__name__", "function"))
    check_array(merged)
    sender = session.sender(merged)
    captured = capture_call(function, (), kwargs, scene)
    every: Iterator[Any] = enumerate(arguments)
    tally = tallied(every, merged)
    at_once = session.backend.runner.at_once(merged)
    durations, limit = session.durations, merged.timeout
    enough = durations.enough(function, limit) if chunksize == "auto" else None
    size, portions = chunked(tally or every, count, chunksize, at_once, enough)
    needs = Needs()
    with Packing(sender, size) as packing:
        for graph in capture_items(portions, needs):
            packing.add(graph)
        captured = needs.added_to(captured, scene)
        items = packing.finish()
        if tally is not None:
            items = replace(items, identity=tally.digest())
        work = Work(JobSpec("map", name), captured, notebook(), items=items)
        job = _spread(session, work, merged)
        durations.learn(function, job)
        return job


def _spread(session: Session, work: Work, options: Options) -> ArrayJob[Any]:
    """Start an array, with its card below the cell where there is one."""
    if not watched():
        return session.spread(work, options)
    follower = Follower()
    with starting(follower, work.spec.name) as steps:
        job = session.spread(replace(work, say=steps), options, follower)
    if len(job):
        job.show = _show
        show_detached(job, follower)
    return job


def watched() -> bool:
    """Tell whether there is a cell that runs, below which a card can be that nobody waits for."""
    here = threading.current_thread() is threading.main_thread()
    return here and fitting_emitter().takes_text


def _show(job: ArrayJob[Any]) -> None:
    """Put an array's card below the cell: a progress bar, the children, what they say."""
    follower = Follower()
    job.observe(follower)
    show_detached(job, follower)


def call(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Any:
    """Run a call as a job, show it, and return its value; None where it failed under `catch`.

    Raises
    ------
    BaseException
        What the function raised, or why there is no value.
    """
    follower = Follower()
    job = submit(function, args, kwargs, options, follower)
    follow(job, follower, fitting_emitter(), detachable=False)
    return _settled(job, function)


async def call_async(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Any:
    """Run a call as a job and wait for it in an event loop; see `call`."""
    job = submit(function, args, kwargs, options)
    await job
    return _settled(job, function)


def _settled(job: Job[Any], function: Callable[..., Any]) -> Any:
    value = lazy_value(job)
    settle(job, _home(function).update)
    return value


def _home(function: Any) -> dict[str, Any]:
    """Return the globals that a function sees; the notebook's where it has none of its own."""
    inner = inspect.unwrap(function)
    while isinstance(inner, functools.partial):
        inner = inner.func
    return getattr(inner, "__globals__", None) or vars(sys.modules["__main__"])


def tidy_name(text: str) -> str:
    """Make a job's name of any text: what Batch does not allow becomes ``-``."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-_")[:100] or "job"


def cell_label(filename: str) -> str | None:
    """Return what the notebook calls a code object's file, e.g. ``In[3]``; None for real files."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return None
    named = shell.compile.format_code_name(filename)
    if named is not None:
        return f"{named[1]}"
    return "the notebook" if filename in linecache.cache and filename.startswith("<") else None
