"""Why calls can't be made: an executor's own errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbbatch.errors import (
    BrokenExecutorError,
    JobCancelledError,
    JobLostError,
    NbbatchError,
    RemoteError,
)
from nbbatch.futures import Job

__all__ = ["Broken", "never_made", "stopped", "unready", "vanished"]

#: Says why no call can be made; what a job raised is unpickled by whoever asks.
Broken = Callable[[], BrokenExecutorError]


def stopped(error: BaseException) -> BrokenExecutorError:
    broken = BrokenExecutorError(
        "the executor can start no worker",
        f"{type(error).__name__}: {getattr(error, 'what', error)}",
        getattr(error, "hint", ""),
    )
    broken.__cause__ = error
    return broken


def unready(job: Job[Any]) -> BrokenExecutorError:
    """Say why a worker did not get ready."""
    try:
        error = job.exception()
    # It was cancelled.
    except NbbatchError as cancelled:
        error = cancelled
    if isinstance(error, NbbatchError) and not isinstance(error, RemoteError):
        return stopped(error)
    broken = BrokenExecutorError(
        f"the executor's initializer failed in job {job.id}",
        job.facts.message,
        f"%batch logs {job.id} shows more; begin a new executor",
    )
    broken.__cause__ = error
    return broken


def vanished(job: Job[Any]) -> JobLostError:
    return JobLostError(
        f"job {job.id} ended without having made the call",
        "its worker was ended by something else",
        f"%batch logs {job.id} shows more",
    )


def never_made() -> JobCancelledError:
    return JobCancelledError(
        "the call was not made", "its executor was terminated", "make it again in another one"
    )
