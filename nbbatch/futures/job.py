"""`Job`: a `concurrent.futures.Future` for work that runs elsewhere."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Generic, TypeVar

from nbbatch.backends.base import Backend
from nbbatch.errors import JobCancelledError, NbbatchError, as_error
from nbbatch.facts import State
from nbbatch.futures.awaiting import awaiting, ended
from nbbatch.futures.onward import Onward, follow
from nbbatch.futures.records.locating import located
from nbbatch.futures.records.noting import Keep, finished, noted
from nbbatch.futures.records.registry import Record, Registry
from nbbatch.futures.returning.ending import Ending, find_ending
from nbbatch.futures.returning.results import Results
from nbbatch.futures.returning.returned import Returned
from nbbatch.futures.returning.unread import Unread
from nbbatch.futures.telling.told import Told
from nbbatch.futures.watching.observer import Observer
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.futures.watching.watcher import Watcher

__all__ = ["Job"]

R = TypeVar("R")


class Job(Told, Future, Generic[R]):  # type: ignore[type-arg]
    """One job: a future whose value is unpickled in the thread that first asks for it.

    A cell's value is a dict of its variables; a function's is what it returned. A multi-node
    job's is a list of these, in the order of its nodes.
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
        super().__init__()
        self._tracker = tracker
        self._backend = backend
        self._watcher = watcher
        self._key = key
        self._record = record
        self._registry = registry
        self._onward: Onward | None = None
        self._keep: Keep | None = None
        self._returned = Returned(backend.store, tracker, cell=record.kind == "cell")
        self._ending: Ending | None = None

    def __repr__(self) -> str:
        facts = self.facts
        word = facts.outcome or facts.state
        return f"<Job {facts.id} {facts.name}: {word}, on {facts.backend}>"

    @property
    def caught(self) -> BaseException | None:
        """What went wrong and is not raised (`@catch`), once the job is done."""
        return self._trouble() if self.done() and self._catches() else None

    def running(self) -> bool:
        """Whether the code runs now."""
        return not self.done() and self.facts.state is State.RUNNING

    def cancel(self) -> bool:
        """Ask the job to end, whatever its state.

        Returns
        -------
        bool
            False where it had already ended; the job is `done` once it really has.
        """
        if self.done():
            return self.cancelled()
        self._registry.cancel(self.id)
        # First: whoever finds the job just now, or starts it again, must know that it is to end;
        # and its end may be seen before the backend has answered.
        self._tracker.cancelled_here = True
        try:
            self._stop()
        except BaseException:
            self._tracker.cancelled_here = False
            raise
        self._watcher.hurry()
        return True

    def observe(self, observer: Observer) -> None:
        """Have `observer` called on the watcher's thread at each change."""
        self._tracker.observe(observer)

    def ignore(self, observer: Observer) -> None:
        """Call `observer` no more; where nobody else looks, the job's story is read less often."""
        self._tracker.ignore(observer)

    def listen(self, *, eager: bool) -> None:
        """Have the job's story read as often as that of a young one, or not any more."""
        self._tracker.eager = eager

    def watch(self, onward: Onward | None = None, keep: Keep | None = None) -> None:
        """Put the job into the watcher's care.

        Parameters
        ----------
        onward
            Knows how it goes on where its backend's job has ended and it need not have.
        keep
            Called once it has succeeded, before anybody is told of that.
        """
        self._onward, self._keep = onward, keep
        if keep is not None:
            self._tracker.keep_story()
        # Those who wait in `concurrent.futures.wait` and `as_completed` tell nobody else.
        tracker, waiters = self._tracker, self._waiters
        self._watcher.add(tracker, self._finish, lambda: bool(waiters), self._locate)

    def retell(self, attempt: int, message: str) -> bool:
        """Take the end of a job whose result comes from the cache; tell whether it is there."""
        if not self._tracker.retell(attempt):
            return False
        self.finish(message)
        return True

    def finish(self, message: str = "") -> None:
        """Take the end of a job that is not watched: all about it is known."""
        self._tracker.show_results()
        self._ending = find_ending(self._tracker, self._backend.runner)
        facts = finished(self._tracker, self._ending)
        self._tracker.publish(replace(facts, message=facts.message or message))
        self._conclude()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end without taking the result; tell whether it has come."""
        if not self._tracker.awaited:
            self._attend()
        return ended(super().exception, timeout)

    def result(self, timeout: float | None = None) -> R:
        """Return the value.

        Raises
        ------
        TimeoutError
            It is not there after `timeout` seconds.
        JobCancelledError
            The job was cancelled; also a `concurrent.futures.CancelledError`.
        JobError
            The job ended without a value; the message says why and what to do.
        BaseException
            What the code raised, with the traceback that it had there.

        Under `@catch` the last two are not raised, `caught` has them: a function's value is None
        then, a cell's are the variables that it had bound.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        found: Any = self._returned.values(self._ending) if self._ending is not None else [None]
        return found if self.nodes > 1 else found[0]  # type: ignore[no-any-return]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what `result` would raise, or None.

        Raises
        ------
        TimeoutError
            The job is not done after `timeout` seconds.
        JobCancelledError
            The job was cancelled.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"job {self.id} is not done after {timeout} s; it is {self.state}")
        lost = self.lost()
        if isinstance(lost, JobCancelledError):
            raise lost
        return None if self._catches() else self._trouble()

    def _trouble(self) -> BaseException | None:
        lost = self.lost()
        return self._returned.error(self._ending) if lost is None and self._ending else lost

    def _catches(self) -> bool:
        """Tell whether the job failed, and that is not to be raised.

        A job that was cancelled raises; so does one whose results can't be read, or were altered.
        """
        ending = self._ending
        if self.catch is None or ending is None or self._tracker.failure:
            return False
        return ending.word not in ("ok", "cancelled")

    def lost(self) -> NbbatchError | None:
        """Return why there are no values at all, once the job is done."""
        return self._ending.error if self._ending is not None else None

    def results(self) -> Results:
        """Unpickle what came back, in this thread, once.

        Of several nodes they are the main one's, with the error of the one that failed.
        """
        return self._returned.results(self._ending) if self._ending is not None else Results()

    def _attend(self) -> None:
        self._tracker.awaited = True
        self._watcher.hurry()

    def __await__(self) -> Generator[Any, None, R]:
        """Wait in an event loop; the value is unpickled in the loop's thread.

        Cancelling the task that waits cancels the job.
        """
        self._attend()
        return awaiting(self)

    def _locate(self) -> None:
        """Look for a job that was started, as far as is known; on the watcher's thread."""
        self._record = located(self._record, self._backend.runner, self._registry, settled=True)
        if self._record.batch_job_id:
            self._tracker.locate(self._record.batch_job_id)
            if self._tracker.cancelled_here:
                self._stop()

    def _stop(self) -> None:
        # One that can't be found yet is stopped when it is.
        if self.batch_job_id:
            self._backend.runner.stop([self.batch_job_id], "nbbatch: cancelled")

    def _finish(self) -> None:
        """Take the end; on the watcher's thread, so nothing is unpickled here."""
        way = self._onward.way(self._record, self._tracker) if self._onward else None
        if way is None:
            self._take_end()
            return
        # Other jobs must not wait for what the backend needs for that.
        work = functools.partial(self._go_on, way)
        thread = threading.Thread(target=work, name="nbbatch-again", daemon=True)
        # Where the interpreter is about to end, whoever attaches the job starts it again.
        with contextlib.suppress(RuntimeError):
            thread.start()

    def _go_on(self, way: Callable[[], Record | None]) -> None:
        tracker, new = self._tracker, None
        try:
            new = way()
        # A fault of ours, too: whoever waits for the job must learn of it.
        except Exception as error:
            tracker.failure = as_error(error, f"job {self.id} can't start again")
        if new is None:
            self._take_end()
            return
        old, self._record = self._record, new
        follow(tracker, old, new)
        if tracker.cancelled_here:
            with contextlib.suppress(NbbatchError):
                self._stop()
        self.watch(self._onward, self._keep)

    def _take_end(self) -> None:
        tracker = self._tracker
        tracker.show_results()
        self._ending = ending = find_ending(tracker, self._backend.runner)
        facts = finished(tracker, ending)
        # A full disk must not hide the end from those who wait for it.
        with contextlib.suppress(NbbatchError):
            self._registry.write(noted(self._record, facts))
        tracker.publish(facts)
        # Callbacks are the user's code: slow ones, and those that wait for another job, must not
        # hold up the watcher; nor is anything unpickled there.
        thread = threading.Thread(target=self._conclude, name="nbbatch-done", daemon=True)
        try:
            thread.start()
        # The interpreter is about to end.
        except RuntimeError:
            self._conclude()

    def _conclude(self) -> None:
        if self._keep is not None and self._tracker.facts.outcome == "ok":
            self._keep(self._record, self._tracker)
        if isinstance(self.lost(), JobCancelledError):
            super().cancel()
            self.set_running_or_notify_cancel()
        elif self.facts.outcome == "ok" or self._catches():
            self.set_result(None)
        else:
            # Whoever waits for the first exception must see that there is one.
            self.set_exception(Unread())
