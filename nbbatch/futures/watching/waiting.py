"""Why jobs wait: asked beside the watcher, which must not wait for the answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from nbbatch.backends.base import Runner
from nbbatch.facts import State, Status
from nbbatch.futures.watching.tracker import Tracker

#: Seconds that a job waits before anybody asks why.
PATIENCE = 10.0
#: Seconds between two questions about the same jobs, and between any two.
_AGAIN = 60.0
_SOON = 10.0

_log = logging.getLogger(__name__)


class Inquiry:
    """Has waits explained: all jobs together, at most once a minute, in a thread of its own.

    Parameters
    ----------
    clock
        Seconds, from any beginning.
    """

    def __init__(self, runner: Runner, clock: Callable[[], float] = time.monotonic) -> None:
        self._runner = runner
        self._clock = clock
        self._since: dict[str, float] = {}
        self._explained: set[str] = set()
        self._last = float("-inf")
        self._thread: threading.Thread | None = None

    def consider(self, trackers: Iterable[Tracker]) -> None:
        """Look at the states, and ask about the jobs that have waited for long enough."""
        now = self._clock()
        waiting = [tracker for tracker in trackers if _waits(tracker)]
        ids = {tracker.facts.batch_job_id for tracker in waiting}
        self._since = {id_: self._since.get(id_, now) for id_ in ids}
        self._explained &= ids
        due = [t for t in waiting if now - self._since[t.facts.batch_job_id] >= PATIENCE]
        new = any(tracker.facts.batch_job_id not in self._explained for tracker in due)
        if not due or self._asking() or now - self._last < (_SOON if new else _AGAIN):
            return
        self._last = now
        self._explained |= {tracker.facts.batch_job_id for tracker in due}
        self._thread = threading.Thread(target=self._ask, args=(due,), name="nbbatch-waits")
        self._thread.daemon = True
        self._thread.start()

    def _asking(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _ask(self, trackers: list[Tracker]) -> None:
        try:
            said = self._runner.explain([tracker.facts.batch_job_id for tracker in trackers])
        # A help, no need: whatever is wrong with it, the jobs go on and are followed.
        except Exception:
            _log.exception("it can't be told why jobs wait")
            return
        for tracker in trackers:
            # The next look at the states shows it, on the watcher's thread.
            tracker.wait_reason = said.get(tracker.facts.batch_job_id, "")


def explained(runner: Runner, known: Mapping[str, Status], now: float) -> Mapping[str, Status]:
    """Give the jobs that have waited for a while why they do, in the place of their reason.

    Parameters
    ----------
    known
        What `runner` has just said about jobs, by their ids.
    now
        Seconds since the epoch.
    """
    late = [id_ for id_, status in known.items() if _late(status, now)]
    said = runner.explain(late) if late else {}
    return {id_: replace(s, reason=said.get(id_) or s.reason) for id_, s in known.items()}


def _late(status: Status, now: float) -> bool:
    since = now if status.created_at is None else status.created_at
    return status.state is State.RUNNABLE and now - since >= PATIENCE


def _waits(tracker: Tracker) -> bool:
    return tracker.facts.state is State.RUNNABLE and not tracker.facts.done
