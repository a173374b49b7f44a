"""The roll of jobs: all of a notebook's, or of a user's, with what is known about each now.

Jobs that this process follows are told about by their own trackers. The others are asked about
by their states alone, all together and on the watcher's rounds; nothing of their stories is read.
Where one has ended and nobody has noted how, its outcome is fetched, once, and noted.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from nbbatch.errors import BackendError, NbbatchError, as_error
from nbbatch.facts import JobFacts, Status
from nbbatch.futures.array.printed import Printed
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.futures.following import tracker_of
from nbbatch.futures.records.catalog import LIMIT, Catalog
from nbbatch.futures.records.elsewhere import Elsewhere
from nbbatch.futures.records.locating import located
from nbbatch.futures.records.noting import facts_of, finished, noted
from nbbatch.futures.records.registry import Record
from nbbatch.futures.records.shared import Shared
from nbbatch.futures.returning.ending import find_ending
from nbbatch.futures.telling.archive import Archive
from nbbatch.futures.telling.story import tellers
from nbbatch.futures.watching.again import wanted as to_go_on
from nbbatch.futures.watching.changes import first_facts
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.futures.watching.watcher import Watcher

__all__ = ["Roll"]

#: Seconds between two looks into the registry.
_LOOK = 1.0
#: Seconds after which a job that the backend does not know counts as gone.
_MISSING = 30.0
#: The age of a job of which nobody has noted an id, and from which on it is looked for.
_OLD = 600.0

_log = logging.getLogger(__name__)


class _Guest(NamedTuple):
    """A job that nobody follows here, and the record that its tracker was made from."""

    record: Record
    tracker: Tracker


def _age(facts: JobFacts) -> tuple[float, str]:
    return facts.submitted_at, facts.id


class Roll:
    """Jobs on one backend, live between `open` and `close`; safe to use from any thread.

    Parameters
    ----------
    key
        Returns the key that a job's objects are sealed with.
    prices
        As in `facts.JobFacts`.
    notebook
        The only one whose jobs are wanted; None for all of this user's.

    Attributes
    ----------
    trouble
        Why the backend can't be asked now, in a sentence; ``""`` where it can.
    """

    def __init__(
        self,
        shared: Shared,
        watcher: Watcher,
        key: Callable[[str], bytes],
        prices: Mapping[str, Any],
        notebook: str | None = None,
    ) -> None:
        self._registry = registry = shared.registry
        self._backend = backend = shared.backend
        self._elsewhere = Elsewhere(shared)
        self._watcher = watcher
        self._key = key
        self._prices = prices
        self._place = backend.store.url
        self._notebook = notebook
        self._catalog = Catalog(registry, self._is_wanted)
        self._lock = threading.Lock()
        self._next_look = 0.0
        #: Jobs that live and that nobody follows here.
        self._guests: dict[str, _Guest] = {}
        #: What was last told about each job.
        self._facts: dict[str, JobFacts] = {}
        self._missing: dict[str, float] = {}
        self._ended: list[_Guest] = []
        self._concluded: set[str] = set()
        self._thread: threading.Thread | None = None
        self._turn = 0
        self.trouble = ""

    def open(self) -> None:
        """Ask about states from now on, with the watcher's questions."""
        self._watcher.join(self)
        self._elsewhere.look()

    def close(self) -> None:
        """Ask nothing more."""
        self._watcher.leave(self)

    def hurry(self) -> None:
        """Ask now: something is about to change."""
        self._watcher.hurry()

    @property
    def older(self) -> int:
        """How many older jobs there are that have not been looked at."""
        return self._catalog.unread

    def more(self) -> None:
        """Look for older jobs, too."""
        with self._lock:
            self._catalog.limit += LIMIT
            self._next_look = 0.0

    def facts(self) -> list[JobFacts]:
        """Return what is known about the jobs now, the newest first.

        A job about which nothing has changed has the same facts as the last time: the object.
        """
        with self._lock:
            self._look()
            followed = self._watcher.followed()
            records = self._catalog.records
            self._facts = {id_: self._of(records[id_], followed) for id_ in records}
            return sorted(self._facts.values(), key=_age, reverse=True)

    def cancel(self, ids: Collection[str]) -> dict[str, NbbatchError]:
        """Ask jobs to end, all at once; return why those that could not be asked were not."""
        trackers = [tracker for tracker in map(self._tracker, ids) if tracker is not None]
        for tracker in trackers:
            self._registry.cancel(tracker.facts.id)
            tracker.cancelled_here = True
        try:
            self._stop(trackers)
        except NbbatchError:
            # Which of them it was: one that has been asked already is passed over.
            return dict(filter(None, map(self._stopped_alone, trackers)))
        finally:
            self._watcher.hurry()
        return {}

    def outputs(self, id_: str) -> list[dict[str, Any]]:
        """Return what a job has put out so far, as a notebook keeps it; reads its whole story."""
        with self._lock:
            record, facts = self._catalog.records[id_], self._facts[id_]
        if record.children is not None:
            tracker = ArrayTracker(self._backend, self._key(id_), facts, before=record.before)
            tracker.look()
            return Printed(self._backend.store, tracker, None).outputs()
        whose = tellers(self._key(id_), id_, record.nodes)
        return Archive(self._backend.store, whose, facts.attempt).outputs()

    def _tracker(self, id_: str) -> Tracker | None:
        with self._lock:
            guest = self._guests.get(id_)
        return guest.tracker if guest is not None else self._watcher.followed().get(id_)

    def _stop(self, trackers: Collection[Tracker]) -> None:
        ids = [tracker.facts.batch_job_id for tracker in trackers]
        self._backend.runner.stop([id_ for id_ in ids if id_], "nbbatch: cancelled")

    def _stopped_alone(self, tracker: Tracker) -> tuple[str, NbbatchError] | None:
        try:
            self._stop([tracker])
        except NbbatchError as error:
            tracker.cancelled_here = False
            return tracker.facts.id, error
        return None

    def asked(self) -> Collection[Tracker]:
        """See `futures.watching.watcher.Onlooker`."""
        with self._lock:
            trackers = [guest.tracker for guest in self._guests.values()]
        return [tracker for tracker in trackers if not tracker.facts.done]

    def take(self, statuses: Mapping[str, Status]) -> None:
        """See `futures.watching.watcher.Onlooker`."""
        self.trouble = ""
        self._elsewhere.look()
        with self._lock:
            guests = list(self._guests.values())
        ended = [guest for guest in guests if self._told(guest, statuses)]
        self._glance([g.tracker for g in guests if not g.tracker.facts.state.final])
        with self._lock:
            self._ended += [g for g in ended if g.record.id not in self._concluded]
            self._concluded |= {guest.record.id for guest in ended}
            if not self._ended or self._thread is not None:
                return
            self._thread = threading.Thread(target=self._conclude, name="nbbatch-ends")
            self._thread.daemon = True
            self._thread.start()

    def _glance(self, trackers: Collection[Tracker]) -> None:
        """Look at the children of one array that nobody follows: at each in its turn."""
        arrays = [tracker for tracker in trackers if isinstance(tracker, ArrayTracker)]
        if arrays:
            self._turn += 1
            with contextlib.suppress(NbbatchError):
                arrays[self._turn % len(arrays)].read_frames()

    def fail(self, error: BackendError) -> None:
        """See `futures.watching.watcher.Onlooker`."""
        self.trouble = f"{error.what}: {error.cause}"

    def _is_wanted(self, record: Record) -> bool:
        return record.place == self._place and self._notebook in (None, record.notebook)

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._catalog.look()
        # Where there is more to read, go on at once.
        self._next_look = now if self._catalog.searching else now + _LOOK

    def _of(self, record: Record, followed: Mapping[str, Tracker]) -> JobFacts:
        last = self._facts.get(record.id)
        if record.id in followed:
            self._guests.pop(record.id, None)
            return followed[record.id].facts
        if record.outcome:
            self._guests.pop(record.id, None)
            same = last is not None and last.outcome == record.outcome
            return (
                last if last is not None and same else facts_of(record, self._backend, self._prices)
            )
        guest = self._guests.get(record.id)
        if guest is None or guest.record.batch_job_id != record.batch_job_id:
            guest = self._guests[record.id] = self._guest(record, last)
        return guest.tracker.facts

    def _guest(self, record: Record, last: JobFacts | None) -> _Guest:
        self._concluded.discard(record.id)
        facts = first_facts(record, self._backend.name, self._prices)
        if last is not None and last.batch_job_id == record.batch_job_id:
            facts = last
        return _Guest(record, tracker_of(record, self._backend, self._key(record.id), facts))

    def _told(self, guest: _Guest, statuses: Mapping[str, Status]) -> bool:
        """Take what the backend says of a job; tell whether it has ended."""
        tracker, id_ = guest.tracker, guest.tracker.facts.batch_job_id
        status = statuses.get(id_)
        if status is not None:
            self._missing.pop(guest.record.id, None)
            tracker.take_states(status)
            return status.state.final
        since = self._missing.setdefault(guest.record.id, time.monotonic())
        if time.monotonic() - since < _MISSING:
            return False
        # Without an id it may be about to be started.
        if not id_ and time.time() - guest.record.submitted_at < _OLD:
            return False
        tracker.lose()
        return True

    def _conclude(self) -> None:
        """Find out how jobs ended, one after the other; in a thread of its own."""
        while True:
            with self._lock:
                if not self._ended:
                    self._thread = None
                    return
                guest = self._ended.pop(0)
            try:
                self._find_end(guest)
            # It will be asked about again, or is told about by whoever attaches it.
            except Exception:
                _log.exception("it can't be told how job %s ended", guest.record.id)
                with self._lock:
                    self._concluded.discard(guest.record.id)

    def _find_end(self, guest: _Guest) -> None:
        tracker, record = guest.tracker, guest.record
        # Whoever started it died before they could note its id: from now on it has one.
        if (
            located(record, self._backend.runner, self._registry).batch_job_id
            != record.batch_job_id
        ):
            return
        try:
            tracker.skip_to_end()
        except BackendError:
            raise
        except NbbatchError as error:
            tracker.failure = as_error(error, f"job {record.id} can't be read")
        # Whoever follows the job starts it again, and notes that.
        if to_go_on(record, tracker):
            return
        tracker.publish(self._noted(record, tracker))

    def _noted(self, record: Record, tracker: Tracker) -> JobFacts:
        newest = self._registry.get(record.id)
        # Whoever followed it knows more, and was faster.
        if newest is not None and newest.outcome:
            return facts_of(newest, self._backend, self._prices)
        facts = finished(tracker, find_ending(tracker, self._backend.runner))
        if newest is not None:
            with contextlib.suppress(NbbatchError):
                self._registry.write(noted(newest, facts))
        return facts
