"""Jobs that their backend has not started, for one that they need had failed.

A backend ends such a job for good. Yet the one that it needs may go on as another of the
backend's jobs (`nbbatch.futures.watching.again`): then this one, which has never run, is started
anew, to wait for that one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from nbbatch.backends.base import Backend
from nbbatch.errors import UpstreamError
from nbbatch.facts import Status
from nbbatch.futures.following import tracker_of
from nbbatch.futures.records.locating import located
from nbbatch.futures.records.registry import Record, Registry
from nbbatch.futures.returning.diagnosis import DEPENDENCY
from nbbatch.futures.returning.ending import find_ending
from nbbatch.futures.watching.again import Again, renews, wanted
from nbbatch.futures.watching.changes import first_facts
from nbbatch.futures.watching.tracker import Tracker

__all__ = ["Unstarted", "named"]

#: Seconds that it may take until it is known whether a job goes on: whoever follows it decides.
_PATIENCE = 60.0
#: Seconds between two looks at the jobs that are needed, at first and at most.
_LOOK, _LOOK_MOST = 0.2, 5.0


@dataclass(frozen=True)
class _Failed:
    """A job has failed, or was not started for one that has: at the root of it is `root`."""

    root: Record
    why: str


@dataclass(frozen=True)
class _Standing:
    """How a needed job is.

    Attributes
    ----------
    goes_on
        The backend's id of it, where it may still succeed; ``""`` where nobody has to wait for it.
    decided
        Whether that will stay so.
    """

    goes_on: str = ""
    decided: bool = True
    failed: _Failed | None = None


_UNKNOWN = _Standing(decided=False)


class Unstarted:
    """Finds out what became of the jobs that another one needs, and starts that one anew.

    Parameters
    ----------
    job_key
        Derives a job's key from its id.
    again
        Starts jobs again.
    patience
        Seconds that it may take until it is known whether the jobs that are needed go on.
    """

    def __init__(
        self,
        backend: Backend,
        registry: Registry,
        job_key: Callable[[str], bytes],
        again: Again,
        patience: float = _PATIENCE,
    ) -> None:
        self._backend = backend
        self._registry = registry
        self._job_key = job_key
        self._again = again
        self._patience = patience

    def start_anew(self, record: Record, reason: str) -> Record | None:
        """Start a job anew that was not started, once what it needs goes on.

        Parameters
        ----------
        reason
            What the backend says of it.

        Returns
        -------
        Record or None
            Where the job goes on; None where nothing is known of what it needs, or where it is
            not to be started from here.

        Raises
        ------
        UpstreamError
            One of the jobs that it needs has failed, or one that these need.
        BackendError
            It was not started.
        """
        found = self._resumed(record)
        if not isinstance(found, _Failed):
            return found
        raise UpstreamError(
            f"{named(record)} was not started",
            found.why if found.root.outcome == "error" else f"{found.why} ({reason})",
            f"%batch logs {found.root.id} shows more; run that job again, then this one",
        )

    def _resumed(self, record: Record) -> Record | _Failed | None:
        deadline, pause = time.monotonic() + self._patience, _LOOK
        while True:
            found = {id_: self._standing(id_) for id_ in record.depends_on}
            failed = next((each.failed for each in found.values() if each.failed), None)
            # Of a job that another machine has started, nobody here knows with what.
            if failed is not None or record.away or not record.after:
                return failed
            if all(each.decided for each in found.values()) and _explained(record, found):
                after = dict.fromkeys(each.goes_on for each in found.values() if each.goes_on)
                return self._again.start_anew(record, tuple(after))
            if time.monotonic() > deadline:
                return None
            time.sleep(pause)
            pause = min(pause * 1.5, _LOOK_MOST)

    def _standing(self, id_: str) -> _Standing:
        record = self._registry.get(id_)
        if record is None:
            # All that is known of it is the backend's own id.
            status = self._describe(id_)
            return _UNKNOWN if status is None or _has_failed(status) else _Standing(id_)
        if record.outcome:
            return _Standing() if record.outcome == "ok" else self._noted(record)
        record = located(record, self._backend.runner, self._registry)
        status = self._describe(record.batch_job_id)
        if status is None:
            return _UNKNOWN
        if not _has_failed(status):
            return _Standing(record.batch_job_id)
        return self._ended(record, status)

    def _noted(self, record: Record) -> _Standing:
        """Say why a job has failed of which that is known: it may not have been started either."""
        said = f"{named(record)}, which it needs,"
        for further in filter(None, (self._standing(id_).failed for id_ in record.depends_on)):
            why = f"{said} was not started: {further.why}"
            return _Standing(failed=_Failed(further.root, why))
        why = f"{said} has failed: {record.message or record.outcome}"
        return _Standing(failed=_Failed(record, why))

    def _describe(self, batch_job_id: str) -> Status | None:
        ids = [batch_job_id] if batch_job_id else []
        return self._backend.runner.describe(ids).get(batch_job_id)

    def _ended(self, record: Record, status: Status) -> _Standing:
        """Say how a job is of which the backend says that it has failed: that need not be all."""
        facts = first_facts(record, self._backend.name)
        tracker = tracker_of(record, self._backend, self._job_key(record.id), facts)
        tracker.take_states(status)
        tracker.skip_to_end()
        said = f"{named(record)}, which it needs,"
        if was_severed(tracker):
            further = self._resumed(record)
            if isinstance(further, _Failed):
                why = f"{said} was not started: {further.why}"
                return _Standing(failed=_Failed(further.root, why))
            return _went_on(further)
        if wanted(record, tracker):
            before, renew = tracker.attempts_made(), renews(record, tracker)
            return _went_on(self._again.start(record, before, renew))
        ending = find_ending(tracker, self._backend.runner)
        if ending.word == "ok":
            return _Standing()
        why = f"{said} has failed: {ending.message or ending.word}"
        return _Standing(failed=_Failed(record, why))


def was_severed(tracker: Tracker) -> bool:
    """Tell whether a job has ended because one that it needs had failed."""
    reason = tracker.status.reason if tracker.status is not None else ""
    return reason.startswith(DEPENDENCY) and not tracker.cancelled_here


def named(record: Record) -> str:
    """Name a job in a message."""
    return f"job {record.id} ({record.name})"


def _went_on(record: Record | None) -> _Standing:
    # What can't be done here, whoever follows that job may do.
    return _UNKNOWN if record is None else _Standing(record.batch_job_id)


def _has_failed(status: Status) -> bool:
    return status.state.final and status.state.value == "FAILED"


def _explained(record: Record, found: dict[str, _Standing]) -> bool:
    """Tell whether it is clear why the job was not started: one it waited for is another now.

    The backend's own view of that one may be late.
    """
    goes_on = {each.goes_on for each in found.values()} - {""}
    return goes_on != set(record.after)
