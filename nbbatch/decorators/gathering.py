"""`gather`: the values of several jobs, once all are there; inside a job, too."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, as_completed
from typing import Any, Iterable, List, Optional, Sequence

from nbbatch.errors import UsageError

__all__ = ["gather"]


def gather(
    *jobs: "Future[Any] | Iterable[Future[Any]]",
    return_exceptions: bool = False,
    timeout: Optional[float] = None,
) -> List[Any]:
    """Wait for jobs, and return their values in the order in which the jobs are given.

    Parameters
    ----------
    jobs
        What `submit` and `map` return, one by one or in a list; other futures will do.
    return_exceptions
        Put exceptions in the places of values, rather than raise the first that comes.
    timeout
        Seconds for all of them.

    Raises
    ------
    TimeoutError
        Not all of them are done in time.
    BaseException
        What the first one raised that has failed; the others go on.
    """
    every = _futures(jobs)
    for job in as_completed(set(every), timeout):
        error = _error(job)
        if error is not None and not return_exceptions:
            raise error
    return [_outcome(job) for job in every]


def _futures(given: Sequence[Any]) -> "List[Future[Any]]":
    if len(given) == 1 and not isinstance(given[0], Future):
        given = list(given[0])
    for each in given:
        if not isinstance(each, Future):
            raise UsageError(
                f"there is nothing to wait for in {each!r:.80}",
                "gather takes jobs: what f.submit(x) and f.map(xs) return",
                "gather(f.submit(1), f.submit(2))",
            )
    return list(given)


def _error(job: "Future[Any]") -> Optional[BaseException]:
    try:
        return job.exception()
    except CancelledError as error:
        return error


def _outcome(job: "Future[Any]") -> Any:
    error = _error(job)
    return job.result() if error is None else error
