"""`ArrayJob`: what `f.map` returns, a job and the sequence of its results."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, TypeVar, overload

from nbbatch.backends.base import Backend
from nbbatch.errors import JobCancelledError
from nbbatch.facts import Children
from nbbatch.futures.array.printed import Printed
from nbbatch.futures.array.taken import Taken
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.futures.job import Job
from nbbatch.futures.records.noting import finished
from nbbatch.futures.records.registry import Record, Registry
from nbbatch.futures.returning.ending import find_ending
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.futures.watching.watcher import Watcher

__all__ = ["ArrayJob"]

R = TypeVar("R")

#: Seconds between two looks at whether an item's child has ended.
_STEP = 0.05


class ArrayJob(Job[list[R]]):
    """A function that is mapped over items, by one array job: a future and a sequence.

    ::

        job = f.map(range(1000))
        for value in job: ...      # in order, as they come
        job[17]                    # waits for that one alone
        job.errors()               # {index: exception} of those that have failed so far
        job.result()               # all values in a list, or the first exception

    An item that failed raises its exception when its result is taken; the others' results are
    kept. Values are fetched when they are asked for, and not held here.
    """

    def __init__(
        self,
        tracker: Tracker,
        backend: Backend,
        watcher: Watcher,
        key: bytes,
        record: Record,
        registry: Registry,
    ) -> None:
        assert isinstance(tracker, ArrayTracker)
        super().__init__(tracker, backend, watcher, key, record, registry)
        self._array = tracker
        self._taken = Taken(backend.store, tracker)

    def __repr__(self) -> str:
        children = self.children
        word = self.facts.outcome or f"{children.done:,} of {children.size:,} done"
        about = f"{self.name}: {len(self):,} items, {word}, on {self.facts.backend}"
        return f"<ArrayJob {self.id} {about}>"

    @property
    def children(self) -> Children:
        """How the children are."""
        return self.facts.children or Children(0, 0)

    def __len__(self) -> int:
        """How many items there are."""
        return self.children.items

    def __bool__(self) -> bool:
        """Be true, as every job is, even without items."""
        return True

    def __iter__(self) -> Iterator[R]:
        """Yield the values in order; see `results`."""
        return self.results()

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> list[R]: ...
    def __getitem__(self, index: int | slice) -> R | list[R]:
        """Return the value of one item, or of some; waits for these alone."""
        if isinstance(index, slice):
            return [self._value(each) for each in range(len(self))[index]]
        try:
            wanted = range(len(self))[index]
        except IndexError:
            raise IndexError(f"there is no item {index} of {len(self)}") from None
        return self._value(wanted)

    def results(  # type: ignore[override]
        self, timeout: float | None = None, *, return_exceptions: bool = False
    ) -> Iterator[R]:
        """Yield the values in the order of the items, each as soon as it is there.

        Parameters
        ----------
        timeout
            Seconds for all of them, from the first call on.
        return_exceptions
            Yield an exception in the place of a value, rather than raise it.

        Raises
        ------
        TimeoutError
            Not all of them are there in time.
        BaseException
            What the function raised; whoever goes on with `next` gets the following items.
        """
        return _Results(self, timeout, return_exceptions=return_exceptions)

    def errors(self) -> dict[int, BaseException]:
        """Return what the items raised that have failed so far, by index; fetches each of them."""
        found = {}
        for child in self._array.roster.failed():
            for index, (_, error) in self._taken.of_child(child).items():
                if error is not None:
                    found[index] = error
        return found

    def result(self, timeout: float | None = None) -> list[R]:
        """Return all values, in order; see `Job.result`."""
        error = self.exception(timeout)
        if error is not None:
            raise error
        return list(self.results())

    def await_item(self, index: int, deadline: float | None = None) -> None:
        """Wait until it is known what became of an item.

        Raises
        ------
        TimeoutError
            It is not by the time `deadline` (of `time.monotonic`).
        """
        child = self._taken.child_of(index)
        while not self._array.roster.is_over(child):
            left = _STEP if deadline is None else deadline - time.monotonic()
            if left <= 0 and not self.done():
                raise TimeoutError(f"item {index} of job {self.id} is not done")
            if self.wait(min(max(left, 0.0), _STEP)):
                return

    def item(self, index: int) -> R:
        """Return the value of an item that was waited for, or raise why there is none."""
        if self._tracker.failure is not None:
            raise self._tracker.failure
        value, error = self._taken.item(index)
        if error is not None and (isinstance(error, JobCancelledError) or self.catch is None):
            raise error
        found: R = value
        return found

    def _value(self, index: int) -> R:
        self.await_item(index)
        return self.item(index)

    def _trouble(self) -> BaseException | None:
        lost = self.lost()
        failed = self._array.roster.failed()
        if lost is not None or not failed:
            return lost
        errors = (error for _, error in self._taken.of_child(failed[0]).values())
        return next((error for error in errors if error is not None), None)

    def finish(self) -> None:
        """End a job without items: there is nothing to start."""
        self._ending = find_ending(self._array, self._backend.runner)
        self._array.publish(finished(self._array, self._ending))
        self._conclude()

    def logs(self, node: int | None = None, *, child: int | None = None) -> str:
        """Return what the children have printed, or one of them: ``logs(child=17)``."""
        return self._printed().logs(node if child is None else child)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The notebook outputs so far, of one child after the other."""
        return self._printed().outputs()

    def _printed(self) -> Printed:
        last_resort = self._child_log if self.done() else None
        return Printed(self._backend.store, self._array, last_resort)

    def _child_log(self, child: int) -> Iterator[str]:
        id_ = self.batch_job_id
        return self._backend.runner.log(f"{id_}:{child}" if self.children.size > 1 else id_)


class _Results(Iterator[R]):
    """The values of an array, one after the other; an exception does not end it."""

    def __init__(self, job: ArrayJob[R], timeout: float | None, *, return_exceptions: bool) -> None:
        self._job = job
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._return_exceptions = return_exceptions
        self._next = 0

    def __iter__(self) -> _Results[R]:
        return self

    def __next__(self) -> R:
        index = self._next
        if index >= len(self._job):
            raise StopIteration
        self._job.await_item(index, self._deadline)
        self._next += 1
        try:
            return self._job.item(index)
        except Exception as error:
            if not self._return_exceptions:
                raise
            # Whoever asks for that takes exceptions for values.
            return error  # type: ignore[return-value]
