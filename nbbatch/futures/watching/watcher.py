"""The one thread that watches all jobs: asks about them together, follows their stories."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Protocol

from nbbatch.backends.base import Backend
from nbbatch.errors import (
    BackendError,
    CredentialsError,
    NbbatchError,
    ServiceError,
    ThrottledError,
    UnreachableError,
    as_error,
)
from nbbatch.facts import Status
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.futures.watching.waiting import Inquiry

#: Seconds between two looks for new frames, on a directory and elsewhere.
_LOOK = {"local": 0.01, "aws": 0.4}
#: The same for jobs that have said nothing for a while, and for jobs that nobody looks at.
_LOOK_IDLE = {"local": 0.05, "aws": 0.5}
_LOOK_UNSEEN = {"local": 0.2, "aws": 5.0}
#: The same for each of many that nobody looks at: together they are read no more often.
_LOOK_UNSEEN_EACH = {"local": 0.02, "aws": 0.25}
#: The longest time between two questions to the backend about states.
_ASK_MOST = {"local": 2.0, "aws": 10.0}
#: The shortest time between two of them for those who only want to know states.
_ONLOOKERS = 2.0
#: Seconds after which a job that the backend does not know counts as lost: it may be about to be
#: started, and Batch lists new jobs with a delay. One that is older than the last figure is gone.
_MISSING = {"local": 5.0, "aws": 30.0}
_OLD = 600.0
#: Seconds for which an error of the backend is tried again before a job is given up.
_PATIENCE = 600.0
#: The same for what passes: a laptop is on its way, somebody has to sign in again tomorrow.
_LONG_PATIENCE = 86400.0
_PASSING = (CredentialsError, UnreachableError, ThrottledError, ServiceError)


_log = logging.getLogger(__name__)


class Watched:
    """A job in the watcher's care."""

    def __init__(
        self,
        tracker: Tracker,
        finish: Callable[[], None],
        attended: Callable[[], bool],
        locate: Callable[[], None],
    ) -> None:
        self.tracker = tracker
        self.finish = finish
        self.attended = attended
        self.locate = locate
        self.since = time.monotonic()
        self.next_look = 0.0
        self.trouble_since: float | None = None
        self.missing_since: float | None = None
        self.dropped = False

    def interval(self, backend: str, now: float, said: bool, count: int) -> float:
        """Return the seconds until the next look at the job's frames, being one of `count`."""
        if not (self.tracker.observed or self.attended()):
            return max(_LOOK_UNSEEN[backend], count * _LOOK_UNSEEN_EACH[backend])
        young = said or self.tracker.eager or now - self.since < 5
        return (_LOOK if young else _LOOK_IDLE)[backend]


class Onlooker(Protocol):
    """Whoever wants to know the states of jobs without following them.

    Called on the watcher's thread, and must be quick.
    """

    def asked(self) -> Collection[Tracker]:
        """Return the jobs that the backend is to be asked about."""

    def take(self, statuses: Mapping[str, Status]) -> None:
        """Take what the backend says, by its ids."""

    def fail(self, error: BackendError) -> None:
        """Take it that the backend could not be asked."""


class Watcher:
    """Watches the jobs of one backend; its thread lives as long as there are any.

    It lives, too, as long as anybody looks on; then it asks about states and reads nothing.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        # Not by their ids: one job may be followed by several who have attached it.
        self._jobs: list[Watched] = []
        self._onlookers: list[Onlooker] = []
        self._next_onlook = 0.0
        self._others: list[Tracker] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._inquiry = Inquiry(backend.runner)
        self._ask = backend.runner.poll_seconds
        self._next_ask = 0.0

    def add(
        self,
        tracker: Tracker,
        finish: Callable[[], None],
        attended: Callable[[], bool] = lambda: False,
        locate: Callable[[], None] = lambda: None,
    ) -> None:
        """Watch a job.

        Parameters
        ----------
        finish
            Called once, on the watcher's thread, when the job has ended.
        attended
            Tells whether anybody waits for the job in a way that its tracker does not know.
        locate
            Looks for the job where it is not known what the backend calls it.
        """
        with self._lock:
            self._jobs.append(Watched(tracker, finish, attended, locate))
            self._ask = self._backend.runner.poll_seconds
            self._next_ask = min(self._next_ask, time.monotonic() + self._ask)
            self._start()
        self._wake.set()

    def join(self, onlooker: Onlooker) -> None:
        """Tell `onlooker` the states that it wants to know, together with those of all jobs."""
        with self._lock:
            if onlooker not in self._onlookers:
                self._onlookers.append(onlooker)
            self._start()
        self.hurry()

    def leave(self, onlooker: Onlooker) -> None:
        """Tell it no more; without any, nothing is asked for its sake."""
        with self._lock:
            if onlooker in self._onlookers:
                self._onlookers.remove(onlooker)
            self._others = []
        self._wake.set()

    def followed(self) -> dict[str, Tracker]:
        """Return the jobs that are watched now, by their ids."""
        with self._lock:
            return {watched.tracker.facts.id: watched.tracker for watched in self._jobs}

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="nbbatch", daemon=True)
            self._thread.start()

    def hurry(self) -> None:
        """Look at all jobs now: somebody has begun to wait, or has cancelled one."""
        with self._lock:
            for watched in self._jobs:
                watched.next_look = 0.0
            self._ask = self._backend.runner.poll_seconds
            self._next_ask = self._next_onlook = 0.0
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            jobs = self._turn()
            with self._lock:
                if not self._jobs and not self._onlookers:
                    self._thread = None
                    return
            soonest = min((w.next_look for w in jobs), default=self._next_ask)
            self._wake.wait(max(0.001, min(soonest, self._next_ask) - time.monotonic()))

    def _turn(self) -> list[Watched]:
        with self._lock:
            jobs = list(self._jobs)
        now = time.monotonic()
        if now >= self._next_ask:
            self._ask_states(jobs)
        for watched in jobs:
            if not watched.dropped and now >= watched.next_look:
                self._look(watched, now)
        return jobs

    def _ask_states(self, jobs: list[Watched]) -> None:
        onlookers = self._due()
        if onlookers:
            self._others = [tracker for onlooker in onlookers for tracker in onlooker.asked()]
        sought = self._locate(jobs)
        trackers = [*(watched.tracker for watched in jobs), *self._others]
        asked = trackers if onlookers else trackers[: len(jobs)]
        ids = {tracker.facts.batch_job_id for tracker in asked} - {""}
        try:
            statuses = self._backend.runner.describe(sorted(ids))
        except BackendError as error:
            for watched in jobs:
                self._trouble(watched, error)
            for onlooker in onlookers:
                onlooker.fail(error)
        else:
            for onlooker in onlookers:
                self._tell(onlooker, statuses)
            for watched in (each for each in jobs if each not in sought):
                status = statuses.get(watched.tracker.facts.batch_job_id)
                self._guarded(watched, lambda w=watched, s=status: _take(w, s))  # type: ignore[misc]
        self._inquiry.consider(trackers)
        most = _ASK_MOST[self._backend.name]
        self._ask = min(self._ask * 1.2, max(most, self._backend.runner.poll_seconds))
        self._next_ask = time.monotonic() + self._ask

    def _locate(self, jobs: list[Watched]) -> list[Watched]:
        """Look for jobs that can't be asked about; return those of which nothing is known."""
        failed = []
        for watched in (each for each in jobs if not each.tracker.facts.batch_job_id):
            try:
                watched.locate()
            except BackendError as error:
                self._trouble(watched, error)
                failed.append(watched)
        return failed

    def _tell(self, onlooker: Onlooker, statuses: Mapping[str, Status]) -> None:
        try:
            onlooker.take(statuses)
        # Whoever only looks on must not be able to stop the watcher.
        except Exception:
            _log.exception("jobs go on, and are no longer listed")
            self.leave(onlooker)

    def _due(self) -> list[Onlooker]:
        """Return those who want to know states now: they are told less often than jobs are."""
        now = time.monotonic()
        if now < self._next_onlook:
            return []
        self._next_onlook = now + _ONLOOKERS
        with self._lock:
            return list(self._onlookers)

    def _look(self, watched: Watched, now: float) -> None:
        said = self._guarded(watched, watched.tracker.read_frames)
        wait = watched.interval(self._backend.name, now, bool(said), len(self._jobs))
        watched.next_look = now + wait

    def _guarded(self, watched: Watched, work: Callable[[], object]) -> object:
        """Do something for one job; its errors are its own."""
        tracker = watched.tracker
        result: object = None
        try:
            result = work()
            watched.trouble_since = None
            done = tracker.settled()
        except BackendError as error:
            self._trouble(watched, error)
            done = tracker.failure is not None
        # A broken seal, or a fault of ours: either way the thread must go on for the others.
        except Exception as error:
            tracker.failure = as_error(error, f"job {tracker.facts.id} can't be followed")
            done = True
        if done:
            self._drop(watched)
        return result

    def _trouble(self, watched: Watched, error: NbbatchError) -> None:
        """Be patient with a backend that fails; say so on the card."""
        now = time.monotonic()
        watched.trouble_since = watched.trouble_since or now
        patience = _LONG_PATIENCE if isinstance(error, _PASSING) else _PATIENCE
        if now - watched.trouble_since > patience:
            watched.tracker.failure = error
        else:
            text = f"{error.what}: {error.cause}. It goes on by itself; next: {error.hint}"
            watched.tracker.publish(replace(watched.tracker.facts, message=text))

    def _drop(self, watched: Watched) -> None:
        with self._lock:
            if watched.dropped:
                return
            watched.dropped = True
            self._jobs.remove(watched)
        watched.finish()


def _take(watched: Watched, status: Status | None) -> None:
    now = time.monotonic()
    if status is not None:
        watched.missing_since = None
        watched.tracker.take_status(status)
        return
    watched.missing_since = watched.missing_since or now
    facts = watched.tracker.facts
    missing = now - watched.missing_since > _MISSING[facts.backend]
    old = time.time() - facts.submitted_at > _OLD
    if missing or old or watched.tracker.ended_before:
        watched.tracker.lose()
