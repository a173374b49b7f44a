"""What a job's facts say about the time that has passed: its states, and what it used."""

from __future__ import annotations

import time
from dataclasses import replace

from nbbatch.facts import JobFacts, Sample, State, Status, Stay
from nbbatch.futures.telling.labels import MAIN
from nbbatch.futures.watching.samples import Samples
from nbbatch.futures.watching.stays import Source, Timeline
from nbbatch.wire.frames import Frame


class Past:
    """The past of one job.

    Parameters
    ----------
    facts
        The first there are.
    """

    def __init__(self, facts: JobFacts) -> None:
        self._timeline = Timeline(facts.submitted_at, facts.stays)
        self._samples = Samples()

    def restart(self) -> None:
        """Begin anew what is kept of one attempt alone."""
        self._samples = Samples()

    def read(self, facts: JobFacts, attempt: int, node: int, new: list[Frame]) -> JobFacts:
        """Return the facts with what a node's frames add; the main node's tell the states."""
        self._samples.read(node, new)
        if node == MAIN:
            self._timeline.read(attempt, new)
        return self._on(facts, self._samples.upto(facts.usage))

    def look(self, facts: JobFacts, status: Status, before: int) -> JobFacts:
        """Return the facts with what the backend adds; it knows of no attempt up to `before`."""
        self._timeline.look(status, before, time.time())
        return self._on(facts, facts.samples)

    def go_on(self, facts: JobFacts, before: int, reason: str) -> JobFacts:
        """Return the facts of a job of which the backend begins anew after attempt `before`."""
        self._timeline.leave(before, facts.stopped_at or time.time(), Source.NOTICED)
        self._timeline.explain(before, reason)
        self._timeline.enter(before + 1, State.SUBMITTED, time.time(), Source.NOTICED)
        return self._on(facts, facts.samples)

    def begin_anew(self, facts: JobFacts) -> JobFacts:
        """Return the facts of a job that has not run, and that the backend begins anew."""
        self._timeline = Timeline(facts.submitted_at)
        return self._on(facts, facts.samples)

    def close(self, facts: JobFacts, attempt: int) -> tuple[Stay, ...]:
        """Take the end of the last attempt, and return the states of all."""
        self._timeline.leave(attempt, facts.stopped_at or time.time(), Source.NOTICED)
        return self._timeline.stays()

    def _on(self, facts: JobFacts, samples: tuple[Sample, ...]) -> JobFacts:
        stays, endings = self._timeline.stays(), self._timeline.endings()
        return replace(facts, samples=samples, stays=stays, endings=endings)
