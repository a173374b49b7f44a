"""`ArrayJob`: what `f.map` returns, a job and the sequence of its results."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol, TypeVar, overload

from nbbatch.backends.base import Backend
from nbbatch.errors import JobCancelledError
from nbbatch.facts import Children
from nbbatch.futures.array.printed import Over, Printed
from nbbatch.futures.array.results import Completed, Results
from nbbatch.futures.array.taken import Taken
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.futures.array.used import Used
from nbbatch.futures.job import Job
from nbbatch.futures.records.registry import Record, Registry
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.futures.watching.watcher import Watcher

__all__ = ["ArrayJob"]

R = TypeVar("R")

#: Seconds after the last item that an array's end may take to be known.
_KEEPING = 30.0

#: Seconds between two looks at whether an item's child has ended.
_STEP = 0.05


class Retry(Protocol[R]):
    """Starts items of a job again."""

    def __call__(
        self, job: ArrayJob[R], items: Sequence[int], chunksize: Any, options: dict[str, Any]
    ) -> ArrayJob[R]:
        """Return the job that does it."""


class ArrayJob(Job[list[R]]):
    """A function that is mapped over items, by one array job: a future and a sequence.

    ::

        job = f.map(range(1000))
        for value in job: ...      # in order, as they come
        job[17]                    # waits for that one alone
        for index, value in job.as_completed(): ...
        job.errors()               # {index: exception} of those that have failed so far
        job.retry_failed()         # the same items, of which those are tried again
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
        self._taken = Taken(backend.store, tracker, record)
        #: Shows an array to the person who started this one, where there is a place for it.
        self.show: Callable[[ArrayJob[R]], None] | None = None
        self._retry: Retry[R] | None = None
        self._before: Callable[[], ArrayJob[R]] | None = None

    def __repr__(self) -> str:
        children = self.children
        word = self.facts.outcome or f"{children.done:,} of {children.size:,} done"
        about = f"{self.name}: {self.children.items:,} items, {word}, on {self.facts.backend}"
        return f"<ArrayJob {self.id} {about}>"

    @property
    def children(self) -> Children:
        """How the children are."""
        return self.facts.children or Children(0, 0)

    @property
    def used(self) -> Used:
        """What the children have used, as far as anybody has read of it."""
        return self._array.used

    def __len__(self) -> int:
        """How many items there are; of `retry_failed`, those that it leaves alone too."""
        before = self.before
        return self.children.items if before is None else len(before)

    @functools.cached_property
    def before(self) -> ArrayJob[R] | None:
        """The job of which this one tries items again; None of any other."""
        return None if self._before is None else self._before()

    @property
    def first(self) -> ArrayJob[R]:
        """The job that has the items first: itself, unless it tries another's again."""
        return self if self.before is None else self.before.first

    @functools.cached_property
    def _own(self) -> dict[int, int] | None:
        """The indexes of the items that are tried again, to their places; None for all items."""
        names = self._taken.names
        return None if names is None else {name: place for place, name in enumerate(names)}

    def can_retry(self, retry: Retry[R], before: Callable[[], ArrayJob[R]] | None) -> None:
        """Take what starts items again, and, where this job does so, whose items they were."""
        self._retry, self._before = retry, before

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
        return Results(self, timeout, return_exceptions=return_exceptions)

    def as_completed(
        self, timeout: float | None = None, *, return_exceptions: bool = False
    ) -> Iterator[tuple[int, R]]:
        """Yield index and value of each item, in the order in which they come.

        Parameters and exceptions are those of `results`.
        """
        return Completed(self, timeout, return_exceptions=return_exceptions)

    def retry_failed(
        self, *, chunksize: int | Literal["auto"] = "auto", **options: Any
    ) -> ArrayJob[R]:
        """Start the items again that have failed so far, and return the job that does it.

        It is as long as this one, and what had succeeded is in it too: in its results the failed
        items alone are new. Without any, this job itself is returned.

        Parameters
        ----------
        chunksize
            How many items one child gets; see `map`.
        options
            What is to be different, for example ``memory=32000``.

        Raises
        ------
        NbbatchError
            They were not started; what they need is gone, or was altered.
        """
        failed = sorted(self.errors())
        if not failed:
            return self
        assert self._retry is not None
        job = self._retry(self, failed, chunksize, options)
        if self.show is not None:
            job.show = self.show
            self.show(job)
        return job

    def errors(self) -> dict[int, BaseException]:
        """Return what the items raised that have failed so far, by index; fetches each of them."""
        before, own = self.before, self._own
        # Of one that was attached just now, even what is long over has to be looked at first.
        if not self._array.looked.is_set():
            self._watcher.hurry()
        while not (self._array.looked.wait(_STEP) or self.done()):
            pass
        found = {} if before is None or own is None else before.errors()
        found = {index: error for index, error in found.items() if own and index not in own}
        for child in self._array.roster.failed():
            for place, (_, error) in self._taken.of_child(child).items():
                if error is not None:
                    found[self._taken.name(place)] = error
        return dict(sorted(found.items()))

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
        place = self._place(index)
        if place is None:
            assert self.before is not None
            self.before.await_item(index, deadline)
            return
        child = self._taken.child_of(place)
        while not self._array.roster.is_over(child):
            left = _STEP if deadline is None else deadline - time.monotonic()
            if left <= 0 and not self.done():
                raise TimeoutError(f"item {index} of job {self.id} is not done")
            if self.wait(min(max(left, 0.0), _STEP)):
                return

    def settle(self) -> None:
        """Wait, after the last item, until the result is in the cache, if it is to be there.

        Whoever maps the same again finds it then; so does the next program, if this one ends now.
        """
        if self._keep is not None:
            self.wait(_KEEPING)

    def item(self, index: int) -> R:
        """Return the value of an item that was waited for, or raise why there is none."""
        place = self._place(index)
        if place is None:
            assert self.before is not None
            return self.before.item(index)
        if self._tracker.failure is not None:
            raise self._tracker.failure
        value, error = self._taken.item(place)
        if error is not None and (isinstance(error, JobCancelledError) or self.catch is None):
            raise error
        found: R = value
        return found

    def ended(self) -> Iterator[int]:
        """Yield the items of which it is known what became of them."""
        before, own = self.before, self._own
        if before is not None and own is not None:
            yield from (index for index in before.ended() if index not in own)
        roster, every = self._array.roster, self.done()
        for child in range(roster.size) if every else roster.ended_children():
            yield from map(self._taken.name, self._taken.items_of(child))

    def _place(self, index: int) -> int | None:
        """Return an item's place among this job's own; None where it is another job's."""
        return index if self._own is None else self._own.get(index)

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

    def logs(self, node: int | None = None, *, child: int | None = None) -> str:
        """Return what the children have printed, or one of them: ``logs(child=17)``."""
        return self._printed().logs(node if child is None else child)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The notebook outputs so far, of one child after the other."""
        return self._printed().outputs()

    def _printed(self) -> Printed:
        over = Over(self._child_log, self._has_ended) if self.done() else None
        return Printed(self._backend.store, self._array, over)

    def _has_ended(self) -> bool:
        """Tell whether the backend says that nothing of the job runs any more."""
        ids = [id_] if (id_ := self.batch_job_id) else []
        return all(each.state.final for each in self._backend.runner.describe(ids).values())

    def _child_log(self, child: int) -> Iterator[str]:
        id_ = self.batch_job_id
        return self._backend.runner.log(f"{id_}:{child}" if self.children.size > 1 else id_)
