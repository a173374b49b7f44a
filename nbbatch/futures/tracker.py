"""One job's story so far: reads its frames in order, keeps its facts, sees its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from nbbatch.backends.base import ClientStore
from nbbatch.errors import NbbatchError
from nbbatch.facts import Gpu, JobFacts, Loss, State, Status, Usage
from nbbatch.futures.story import read_chapter
from nbbatch.wire import keys, spec
from nbbatch.wire.envelope import Envelope, broken, unseal
from nbbatch.wire.frames import Frame
from nbbatch.wire.spec import Outcome

#: Seconds that a job which was stopped from outside may take until its backend says why.
_EXPLAIN = 20.0
#: Frames objects read in one go, before other jobs have their turn; each may be half a megabyte.
_BURST = 8

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Whoever wants to see a job; called on the watcher's thread, and must be quick."""

    def on_facts(self, facts: JobFacts) -> None:
        """Take the facts after a change."""

    def on_frames(self, frames: list[Frame]) -> None:
        """Take the next frames, in order."""


class Tracker:
    """Follows one job.

    Parameters
    ----------
    known
        Takes the digests of the blobs that the job has put into the store.
    before
        How many attempts were made before the first that the backend knows of.

    Attributes
    ----------
    facts
        The latest; replaced, never changed.
    outcome, envelope
        Once there is one: what it says, and the sealed object that holds the values.
    wait_reason
        Why the job is still RUNNABLE, once somebody has asked.
    failure
        Why the story can't be read, where it can't: a broken seal, a store that refuses.
    """

    def __init__(
        self,
        store: ClientStore,
        key: bytes,
        facts: JobFacts,
        known: set[str] | None = None,
        before: int = 0,
    ) -> None:
        self._store = store
        self._known = set() if known is None else known
        self._key = key
        self.facts = facts
        self.outcome: Outcome | None = None
        self.envelope: Envelope | None = None
        self.failure: NbbatchError | None = None
        self.status: Status | None = None
        self.wait_reason = ""
        self.cancelled_here = False
        self.awaited = False
        self._observers: list[Observer] = []
        self._before = before
        self._attempt = 1
        self._number = 0
        #: The number after the last frames of the attempt before.
        self._ended_number = 0
        self._note = ""
        self._ended_at: float | None = None

    def observe(self, observer: Observer) -> None:
        """Show the facts now, and go on with each change."""
        observer.on_facts(self.facts)
        self._observers.append(observer)

    @property
    def observed(self) -> bool:
        """Whether anybody looks or waits."""
        return self.awaited or bool(self._observers)

    def read_frames(self) -> bool:
        """Read what the job has said since the last time; tell whether there was anything."""
        new: list[Frame] = []
        for _ in range(_BURST):
            found = self._next_frames()
            if found is None:
                break
            new += found
            if found[-1]["kind"] == "end":
                break
        if new:
            self._take(new)
        return bool(new)

    def _next_frames(self) -> list[Frame] | None:
        found = read_chapter(self._store, self._key, self.facts.id, self._attempt, self._number)
        if found is not None:
            self._number += 1
        return found

    def _take(self, frames: list[Frame]) -> None:
        facts = self.facts
        for item in frames:
            change = _CHANGES.get(item["kind"])
            if change:
                facts = change(facts, item)
            if item["kind"] in ("notice", "started"):
                self._note = item.get("text", "")
        self._tell(lambda observer: observer.on_frames(frames))
        self.publish(facts)
        if frames[-1]["kind"] == "end":
            self._end(final=bool(frames[-1]["final"]))

    def _end(self, *, final: bool) -> None:
        if final:
            self.read_outcome()
        else:
            self._ended_number = self._number
            self._attempt += 1
            self._number = 0

    def read_outcome(self) -> bool:
        """Fetch the current attempt's outcome, if it is there, and check its seal."""
        id_ = self.facts.id
        data = self._store.get(keys.outcome(id_, self._attempt))
        if data is None:
            return False
        envelope = unseal(data, self._key, spec.OUTCOME, id_)
        outcome = Outcome.from_meta(envelope.meta)
        if outcome.attempt != self._attempt:
            raise broken(f"the outcome of attempt {self._attempt} of job {id_}")
        self.envelope, self.outcome = envelope, outcome
        self._known.update(part.digest for part in envelope.parts if part.blob)
        self._ended_at = time.time()
        return True

    def take_status(self, status: Status) -> None:
        """Merge what the backend says, and follow it to the next attempt."""
        self.take_states(status)
        attempt = status.attempt + self._before
        if attempt > self._attempt and not self.read_frames():
            # The attempt before this one died without a word.
            self._attempt, self._number = attempt, 0

    def take_states(self, status: Status) -> None:
        """Merge what the backend says into the facts."""
        self.status = status = replace(status, attempt=status.attempt + self._before)
        facts = replace(
            self.facts,
            state=_later(self.facts.state, status.state),
            attempt=status.attempt if status.state.final else max(status.attempt, self._attempt),
            given={**self.facts.given, **status.given},
            started_at=self.facts.started_at or status.started_at,
            stopped_at=status.stopped_at or self.facts.stopped_at,
            message=self._message(status),
            url=status.url or self.facts.url,
        )
        self.publish(facts)

    def _message(self, status: Status) -> str:
        waits = status.state is State.RUNNABLE and self.wait_reason
        return self.wait_reason if waits else status.reason or self._note

    def publish(self, facts: JobFacts) -> None:
        """Replace the facts and tell the observers, if anything changed."""
        if facts == self.facts:
            return
        self.facts = facts
        self._tell(lambda observer: observer.on_facts(facts))

    def _tell(self, news: Callable[[Observer], None]) -> None:
        for observer in list(self._observers):
            try:
                news(observer)
            # Whoever only looks at a job must not be able to end it, nor to stop the watcher.
            except Exception:
                self._observers.remove(observer)
                _log.exception("job %s goes on, and is no longer shown", self.facts.id)

    def lose(self) -> None:
        """Take it that the backend will never say anything about the job."""
        reason = "its backend knows no such job"
        if not self.facts.batch_job_id:
            reason = "it was never started"
        attempt = self._attempt - self._before
        self.take_states(Status(State.FAILED, reason, Loss.UNKNOWN, attempt=attempt))

    def go_on(self, batch_job_id: str, before: int, asked: Mapping[str, Any], note: str) -> None:
        """Follow the job's next attempts: another one of the backend's jobs makes them."""
        self.outcome = self.envelope = self.status = self._ended_at = None
        self._before, self._attempt, self._number, self._note = before, before + 1, 0, note
        self.wait_reason = ""
        again = {"batch_job_id": batch_job_id, "attempt": before + 1, "asked": dict(asked)}
        fresh = {"state": State.SUBMITTED, "message": note, "stopped_at": None}
        self.publish(replace(self.facts, **again, **fresh))  # type: ignore[arg-type]

    @property
    def ended_attempt(self) -> int:
        """The attempt that ended last, once the job has ended."""
        if self.outcome is not None:
            return self.outcome.attempt
        return self.status.attempt if self.status is not None else self._attempt

    def settled(self) -> bool:
        """Tell whether all that can be known about the end is known."""
        if self.failure is not None:
            return True
        gone = self.status is not None and self.status.state.final
        if self.outcome is None:
            # Its last words may have come between the last look and its end.
            return gone and not (self.read_frames() or self.read_outcome() or self._move())
        if self.outcome.status not in (spec.TERMINATED, spec.DIED) or self.outcome.loss:
            return True
        late = self._ended_at is not None and time.time() - self._ended_at > _EXPLAIN
        return gone or self.cancelled_here or late

    def _move(self) -> bool:
        """Turn to the attempt that was the last, where the story of another one leads nowhere."""
        last = self.status.attempt if self.status is not None else self._attempt
        if last == self._attempt:
            return False
        forward = last > self._attempt
        self._attempt, self._number = last, 0 if forward else self._ended_number
        return forward or self.read_outcome()

    def loss(self) -> Loss | None:
        """Return why the backend says that the job failed, once it says so."""
        return self.status.loss if self.status is not None else None


def _later(old: State, new: State) -> State:
    """Keep what the job itself said where the backend lags behind; a retry goes back."""
    lagging = old is State.RUNNING and new in (State.SUBMITTED, State.PENDING, State.STARTING)
    return old if lagging else new


def _started(facts: JobFacts, item: Frame) -> JobFacts:
    given = {**item["given"], **facts.given}
    now = {"state": State.RUNNING, "started_at": item["t"], "stopped_at": None, "message": ""}
    return replace(facts, given=given, **now)


def _ended(facts: JobFacts, item: Frame) -> JobFacts:
    return replace(facts, stopped_at=item["t"])


def _used(facts: JobFacts, item: Frame) -> JobFacts:
    if item.get("final"):
        peak = item["peak"]
        figures = {name: peak[name] for name in ("cpu", "memory", "disk") if name in peak}
        return replace(facts, peak=_peak(facts.peak, replace(facts.peak or Usage(), **figures)))
    usage = Usage(
        cpu=item.get("cpu", 0.0),
        memory=item.get("memory", 0),
        memory_limit=item.get("memory_limit"),
        disk=item.get("disk", 0),
        gpus=tuple(Gpu(**gpu) for gpu in item.get("gpus", ())),
    )
    return replace(facts, usage=usage, peak=_peak(facts.peak, usage))


def _peak(old: Usage | None, new: Usage) -> Usage:
    if old is None:
        return new
    return Usage(
        cpu=max(old.cpu, new.cpu),
        memory=max(old.memory, new.memory),
        memory_limit=new.memory_limit,
        disk=max(old.disk, new.disk),
        gpus=max(old.gpus, new.gpus, key=lambda gpus: sum(gpu.memory for gpu in gpus)),
    )


def _noticed(facts: JobFacts, item: Frame) -> JobFacts:
    return replace(facts, message=item["text"])


_CHANGES: Mapping[str, Callable[[JobFacts, Frame], JobFacts]] = {
    "started": _started,
    "usage": _used,
    "notice": _noticed,
    "end": _ended,
}


def first_facts(record: Any, backend: str) -> JobFacts:
    """Make the facts of a job that has just been submitted, or is found again."""
    return JobFacts(
        id=record.id,
        name=record.name,
        backend=backend,
        batch_job_id=record.batch_job_id,
        attempts=record.attempts,
        asked=dict(record.asked),
        submitted_at=record.submitted_at,
    )
