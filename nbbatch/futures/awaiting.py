"""Waiting for a future, in a thread and in an event loop; nothing of its value is taken."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as Late
from typing import Any


def ended(exception: Callable[[float | None], object], timeout: float | None) -> bool:
    """Wait for a future by its `exception` alone; tell whether its end has come."""
    try:
        exception(timeout)
    except Late:
        return False
    except CancelledError:
        pass
    return True


def awaiting(job: Future[Any]) -> Generator[Any, None, Any]:
    """Wait for a job in the running loop; cancelling the task that waits cancels the job."""
    import asyncio

    try:
        value = yield from asyncio.wrap_future(job).__await__()
    except asyncio.CancelledError:
        if job.cancelled():
            return job.result()
        raise
    return value
