"""The values of an array, one after the other: in the items' order, or as they come."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

__all__ = ["Completed", "Results"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

#: Seconds between two looks at which items have ended.
_STEP = 0.05


class Values(Protocol[R_co]):
    """What has items: an array job."""

    def __len__(self) -> int:
        """How many items there are."""

    def await_item(self, index: int, deadline: float | None = None) -> None:
        """Wait until it is known what became of an item."""

    def item(self, index: int) -> R_co:
        """Return its value, or raise why there is none."""

    def ended(self) -> Iterator[int]:
        """Yield the items of which it is known what became of them."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of all."""

    def settle(self) -> None:
        """Return once all that is to be done at the end is done."""


class Results(Iterator[R]):
    """The values in the order of the items; an exception does not end it."""

    def __init__(self, job: Values[R], timeout: float | None, *, return_exceptions: bool) -> None:
        self._job = job
        self._deadline = _deadline(timeout)
        self._return_exceptions = return_exceptions
        self._next = 0

    def __iter__(self) -> Results[R]:
        return self

    def __next__(self) -> R:
        index = self._next
        if index >= len(self._job):
            self._job.settle()
            raise StopIteration
        self._job.await_item(index, self._deadline)
        self._next += 1
        value: R = _taken(self._job, index, return_exceptions=self._return_exceptions)
        return value


class Completed(Iterator[tuple[int, R]]):
    """Index and value of each item as it comes; an exception does not end it."""

    def __init__(self, job: Values[R], timeout: float | None, *, return_exceptions: bool) -> None:
        self._job = job
        self._deadline = _deadline(timeout)
        self._return_exceptions = return_exceptions
        self._given = bytearray(len(job))
        self._left = len(job)
        self._ready: deque[int] = deque()

    def __iter__(self) -> Completed[R]:
        return self

    def __next__(self) -> tuple[int, R]:
        if not self._left:
            self._job.settle()
            raise StopIteration
        while not self._ready:
            self._look()
        index = self._ready.popleft()
        self._left -= 1
        return index, _taken(self._job, index, return_exceptions=self._return_exceptions)

    def _look(self) -> None:
        for index in self._job.ended():
            if not self._given[index]:
                self._given[index] = True
                self._ready.append(index)
        if self._ready:
            return
        left = _STEP if self._deadline is None else self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"{self._left:,} of {len(self._given):,} items are not done")
        self._job.wait(min(left, _STEP))


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _taken(job: Values[Any], index: int, *, return_exceptions: bool) -> Any:
    try:
        return job.item(index)
    except Exception as error:
        if not return_exceptions:
            raise
        # Whoever asks for that takes exceptions for values.
        return error
