"""One job's story so far: reads its frames in order, keeps its facts, sees its end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.errors import NbbatchError
from nbbatch.facts import JobFacts, Loss, NodeFacts, State, Status, Stay
from nbbatch.futures.telling.labels import MAIN, labels
from nbbatch.futures.telling.story import tellers
from nbbatch.futures.watching.changes import as_told, at_end, changed, joined, state_of
from nbbatch.futures.watching.observer import Audience, Observer
from nbbatch.futures.watching.past import Past
from nbbatch.futures.watching.strand import Strand, deciding
from nbbatch.wire import spec
from nbbatch.wire.frames import Frame
from nbbatch.wire.spec import Outcome

#: Seconds that a job which was stopped from outside may take until its backend says why.
_EXPLAIN = 20.0
#: Why a whole job ends from outside, whatever became of its nodes.
WHOLE = (Loss.CANCELLED, Loss.TIMEOUT, Loss.SPOT)
#: Nodes that are looked at in one go: a look costs a call for each.
_TURN = 16


class Tracker:
    """Follows one job.

    Parameters
    ----------
    known
        Takes the digests of the blobs that the job has put into the store.
    nodes
        How many the job has.
    before
        How many attempts were made before the first that the backend knows of.

    Attributes
    ----------
    facts
        The latest; replaced, never changed.
    strands
        What each node has said, in their order; one where there are no nodes.
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
        nodes: int = 1,
        before: int = 0,
    ) -> None:
        self._known = set() if known is None else known
        self.facts = facts
        self.tellers = tellers(key, facts.id, nodes)
        self.strands = [Strand(store, teller) for teller in self.tellers]
        self.failure: NbbatchError | None = None
        self.status: Status | None = None
        self.wait_reason = ""
        self.cancelled_here = False
        self.awaited = False
        #: Whether somebody waits for its next word, and not only for its end.
        self.eager = False
        #: Whether a kernel of this user has seen its end: it is not about to be started.
        self.ended_before = False
        self._audience = Audience(facts.id)
        self._before = before
        self._attempt = 1
        self._note = ""
        self._first = 0
        self._labels = labels(nodes)
        self._results: dict[int, list[Frame]] = {}
        self._past = Past(facts)
        if nodes > 1:
            self.facts = replace(facts, nodes=(NodeFacts(),) * nodes)

    def observe(self, observer: Observer) -> None:
        """Show the facts now, and go on with each change."""
        observer.on_facts(self.facts)
        self._audience.join(observer)

    def ignore(self, observer: Observer) -> None:
        """Show it no more."""
        self._audience.leave(observer)

    @property
    def observed(self) -> bool:
        """Whether anybody looks or waits."""
        return self.awaited or bool(self._audience)

    def read_frames(self) -> bool:
        """Read what the job has said since the last time; tell whether there was anything."""
        return self._read_of(self._turn())

    def _turn(self) -> set[int]:
        """Return the nodes that are looked at now: of many, some at a time, always the main one."""
        count = len(self.strands)
        first, self._first = self._first, (self._first + _TURN) % count
        return {MAIN, *((first + i) % count for i in range(min(_TURN, count)))}

    def _read_of(self, chosen: Iterable[int]) -> bool:
        said = [self._read(index) for index in sorted(chosen)]
        end = self.strands[MAIN].end
        if any(said) and end is not None:
            self._end(final=bool(end["final"]))
        return any(said)

    def _read_all(self) -> bool:
        return self._read_of(range(len(self.strands)))

    def _read(self, index: int) -> bool:
        new = self.strands[index].read()
        if not new:
            return False
        notes = [item.get("text", "") for item in new if item["kind"] in ("notice", "started")]
        self._note = notes[-1] if notes else self._note
        if self._labels:
            self._take_of_node(index, new)
        else:
            self._show(new)
            facts = changed(self.facts, new)
            self.publish(self._past.read(facts, self._attempt, MAIN, new))
        return True

    def _take_of_node(self, index: int, new: list[Frame]) -> None:
        label = self._labels[index]
        self._show(list(label.mark(item for item in new if item["kind"] != "result")))
        # The last expressions come at the end, in the order of the nodes.
        results = label.mark(item for item in new if item["kind"] == "result")
        self._results.setdefault(index, []).extend(results)
        nodes = list(self.facts.nodes)
        nodes[index] = at_end(changed(nodes[index], new), new[-1])
        facts = joined(self.facts, tuple(nodes))
        self.publish(self._past.read(facts, self._attempt, index, new))

    def _show(self, frames: list[Frame]) -> None:
        if frames:
            self._audience.tell(lambda observer: observer.on_frames(frames))

    def show_results(self) -> None:
        """Show the values of the nodes' last expressions, now that all have come."""
        for index in sorted(self._results):
            self._show(self._results[index])
        self._results.clear()

    def _end(self, *, final: bool) -> None:
        if not final:
            self._restart(self._attempt + 1)
            # Unless the backend knows more of the next attempt already, it has still to begin.
            if self.status is None or self.status.attempt < self._attempt:
                again = {"state": State.RUNNABLE, "attempt": self._attempt, "stopped_at": None}
                self.publish(replace(self.facts, **again))  # type: ignore[arg-type]
        elif all(strand.end is not None for strand in self.strands):
            self.read_outcomes()

    def _restart(self, attempt: int, *, told: bool = False) -> None:
        self._attempt = attempt
        self._results.clear()
        if not told:
            self._past.restart()
        for strand in self.strands:
            strand.restart(attempt, told=told)
        nodes = tuple(replace(node, state=State.SUBMITTED) for node in self.facts.nodes)
        self.publish(replace(self.facts, nodes=nodes))

    def read_outcomes(self) -> bool:
        """Fetch the current attempt's outcomes; tell whether there was a new one."""
        found = [strand.read_outcome() for strand in self.strands]
        for strand in self.strands:
            parts = strand.envelope.parts if strand.envelope is not None else ()
            self._known.update(part.digest for part in parts if part.blob)
        return any(found)

    def skip_to_end(self) -> None:
        """Fetch the outcome of a job that has ended, and nothing of its story."""
        attempt = self.facts.attempt
        self._attempt = attempt
        for strand in self.strands:
            strand.restart(attempt, told=True)
        self.read_outcomes()

    def keep_story(self) -> None:
        """Keep what the job says, for those who want to hear it again."""
        for strand in self.strands:
            strand.keep()

    def retell(self, attempt: int) -> bool:
        """Tell all that a job said in its last attempt; return whether all of it is there."""
        self.publish(replace(self.facts, attempt=attempt, cached=True))
        self._restart(attempt)
        while self._read_all():
            pass
        self.read_outcomes()
        return self.settled()

    def take_status(self, status: Status) -> None:
        """Merge what the backend says, and follow it to the next attempt."""
        self.take_states(status)
        attempt = status.attempt + self._before
        if attempt > self._attempt and not self.read_frames():
            # The attempt before this one died without a word.
            self._restart(attempt)

    def take_states(self, status: Status) -> None:
        """Merge what the backend says into the facts."""
        facts = self._past.look(self.facts, status, self._before)
        self.status = status = replace(status, attempt=status.attempt + self._before)
        if status.state is not State.RUNNABLE:
            self.wait_reason = ""
        self.publish(as_told(facts, status, self._attempt, self._message(status)))

    def _message(self, status: Status) -> str:
        waits = state_of(self.facts, status, self._attempt) is status.state is State.RUNNABLE
        return (self.wait_reason if waits else "") or status.reason or self._note

    def close(self) -> tuple[Stay, ...]:
        """Take it that the last attempt has ended, and return the states of all."""
        return self._past.close(self.facts, self.ended_attempt)

    def publish(self, facts: JobFacts) -> None:
        """Replace the facts and tell the observers, if anything changed."""
        if facts == self.facts:
            return
        self.facts = facts
        self._audience.tell(lambda observer: observer.on_facts(facts))

    def lose(self) -> None:
        """Take it that the backend will never say anything about the job."""
        reason = "its backend knows no such job"
        if not self.facts.batch_job_id:
            reason = "it was never started"
        attempt = self._attempt - self._before
        self.take_states(Status(State.FAILED, reason, Loss.UNKNOWN, attempt=attempt))

    def go_on(self, batch_job_id: str, before: int, asked: Mapping[str, Any], note: str) -> None:
        """Follow the job's next attempts: another one of the backend's jobs makes them."""
        self._follow(batch_job_id, before, note, self._past.go_on(self.facts, before, note), asked)

    def begin_anew(self, batch_job_id: str, note: str) -> None:
        """Follow a job that has not run: another one of the backend's jobs is to run it."""
        facts = self._past.begin_anew(self.facts)
        self._follow(batch_job_id, self._before, note, facts, facts.asked)

    def _follow(
        self, batch_job_id: str, before: int, note: str, facts: JobFacts, asked: Mapping[str, Any]
    ) -> None:
        self._before, self._note, self.wait_reason = before, note, ""
        self.status = None
        self._restart(before + 1)
        again = {"batch_job_id": batch_job_id, "attempt": before + 1, "asked": dict(asked)}
        fresh = {"state": State.SUBMITTED, "message": note, "stopped_at": None}
        self.publish(replace(facts, nodes=self.facts.nodes, **again, **fresh))  # type: ignore[arg-type]

    @property
    def decided(self) -> int:
        """The index of the node whose end is the job's."""
        return deciding(self.strands)

    @property
    def outcome(self) -> Outcome | None:
        """What that node's worker says of its end, once it says something."""
        return self.strands[self.decided].outcome

    @property
    def ended_attempt(self) -> int:
        """The attempt that ended last, once the job has ended."""
        if any(strand.outcome is not None for strand in self.strands):
            return self._attempt
        return self.status.attempt if self.status is not None else self._attempt

    def attempts_made(self) -> int:
        """Return after how many attempts another one of the backend's jobs may go on."""
        return self.ended_attempt

    def settled(self) -> bool:
        """Tell whether all that can be known about the end is known."""
        if self.failure is not None:
            return True
        gone = self.status is not None and self.status.state.final
        outcomes = [strand.outcome for strand in self.strands]
        if None in outcomes:
            # Its last words may have come between the last look and its end.
            news = gone and (self._read_all() or self.read_outcomes() or self._move())
            return gone and not (news or self._elsewhere())
        words = {outcome.status for outcome in outcomes if outcome is not None}
        known = any(outcome.loss for outcome in outcomes if outcome is not None)
        if known or words & {spec.ERROR, spec.REFUSED} or words == {spec.OK}:
            return True
        return gone or self.cancelled_here or self._late()

    def _late(self) -> bool:
        ends = [strand.ended_at for strand in self.strands if strand.ended_at is not None]
        return bool(ends) and time.time() - max(ends) > _EXPLAIN

    def _move(self) -> bool:
        """Turn to the attempt that was the last, where the story of another one leads nowhere."""
        last = self.status.attempt if self.status is not None else self._attempt
        if last == self._attempt:
            return False
        forward = last > self._attempt
        self._restart(last, told=not forward)
        return forward or self.read_outcomes()

    def _elsewhere(self) -> bool:
        """Turn to the job that makes this attempt, where it is not the one that has ended.

        The backend may have two where an answer was lost: the second one ends at once.
        """
        owner = self.strands[MAIN].claimed_by()
        if owner in ("", self.facts.batch_job_id):
            return False
        self.locate(owner)
        return True

    def locate(self, batch_job_id: str) -> None:
        """Take it that this is what the backend calls the job."""
        self.status = None
        again = {"state": State.SUBMITTED, "stopped_at": None} if self.facts.state.final else {}
        self.publish(replace(self.facts, batch_job_id=batch_job_id, **again))  # type: ignore[arg-type]

    def status_of(self, node: int) -> Status | None:
        """Return what the backend says of a node, or of the job where that says more."""
        status = self.status
        if status is None or not status.nodes or status.loss in WHOLE:
            return status
        return status.nodes[node]

    def loss(self) -> Loss | None:
        """Return why the backend says that the job failed, once it says so."""
        status = self.status_of(self.decided)
        return status.loss if status is not None else None
