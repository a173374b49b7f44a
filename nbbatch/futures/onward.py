"""How a job goes on that its backend has ended: as another one of the backend's jobs, or not."""

from __future__ import annotations

import functools
from collections.abc import Callable

from nbbatch.futures.records.registry import Record
from nbbatch.futures.unstarted import Unstarted, was_severed
from nbbatch.futures.watching.again import Again, announcement, renews, wanted
from nbbatch.futures.watching.tracker import Tracker

__all__ = ["Onward"]


class Onward:
    """Knows the ways on.

    Parameters
    ----------
    again
        Starts a job again that has run.
    unstarted
        Starts a job anew that has not.
    """

    def __init__(self, again: Again | None, unstarted: Unstarted) -> None:
        self._again = again
        self._unstarted = unstarted

    def way(self, record: Record, tracker: Tracker) -> Callable[[], Record | None] | None:
        """Return what is to be tried, where a job need not have ended; it may take a while.

        It returns where the job goes on, None for nowhere, or raises `NbbatchError`.
        """
        if tracker.failure is None and record.depends_on and was_severed(tracker):
            reason = tracker.status.reason if tracker.status is not None else ""
            return functools.partial(self._unstarted.start_anew, record, reason)
        if self._again is not None and wanted(record, tracker):
            before, renew = tracker.attempts_made(), renews(record, tracker)
            return functools.partial(self._again.start, record, before, renew)
        return None


def follow(tracker: Tracker, old: Record, new: Record) -> None:
    """Have a tracker follow what its job has become."""
    note = announcement(old, new)
    if new.anew > old.anew:
        tracker.begin_anew(new.batch_job_id, note)
    else:
        tracker.go_on(new.batch_job_id, new.before, new.asked, note)
