"""How long each attempt was in each state, put together from all who tell something about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from itertools import accumulate

from nbbatch.facts import State, Status, Stay
from nbbatch.wire.frames import Frame

#: The states of an attempt, in their order.
_WAY = (State.SUBMITTED, State.PENDING, State.RUNNABLE, State.STARTING, State.RUNNING)


class Source(IntEnum):
    """Who says when something happened; the larger is believed."""

    #: It was noticed here: late, by the time between two looks.
    NOTICED = 0
    #: The job's own frames.
    JOB = 1
    BACKEND = 2


#: When something happened, and who says so.
_Mark = tuple[Source, float]


class Timeline:
    """The states of one job, of all its attempts.

    Clocks differ: where two sources contradict each other, nothing ends before it began.
    A wait that nobody watched is taken for RUNNABLE, in which Batch leaves its jobs for as long as
    they wait for a machine; the states before it last a moment.

    Parameters
    ----------
    submitted_at
        Seconds since the epoch.
    known
        All stays of a job that has ended, where they are known already; nothing changes them.
    """

    def __init__(self, submitted_at: float, known: tuple[Stay, ...] = ()) -> None:
        self._known = known
        self._marks: dict[int, dict[State, _Mark]] = {}
        self._ends: dict[int, _Mark] = {}
        self._reasons: dict[int, str] = {}
        self._errors: dict[int, str] = {}
        self._made: tuple[Stay, ...] | None = known or None
        self._looked = False
        self.enter(1, State.SUBMITTED, submitted_at, Source.NOTICED)

    def look(self, status: Status, before: int, now: float) -> None:
        """Take what a backend says; it knows of no attempt up to `before`."""
        for stay in status.stays:
            attempt = stay.attempt + before
            self.enter(attempt, stay.state, stay.since, Source.BACKEND)
            if stay.until is not None and stay.state is State.RUNNING:
                self.leave(attempt, stay.until, Source.BACKEND)
        self._reasons.update({n + before: text for n, text in status.endings.items()})
        attempt = status.attempt + before
        if not status.state.final:
            self._notice(attempt, status.state, now)
        elif status.stopped_at is not None:
            self.leave(attempt, status.stopped_at, Source.BACKEND)
        self._looked = True

    def read(self, attempt: int, frames: Iterable[Frame]) -> None:
        """Take what an attempt says itself."""
        for item in frames:
            if item["kind"] == "started":
                self.enter(attempt, State.RUNNING, item["t"], Source.JOB)
            elif item["kind"] == "place" and item.get("starting_at"):
                self.enter(attempt, State.STARTING, item["starting_at"], Source.JOB)
            elif item["kind"] == "error":
                self._errors[attempt] = f"{item['ename']}: {item['evalue']}"
            elif item["kind"] == "end":
                self.leave(attempt, item["t"], Source.JOB)

    def enter(self, attempt: int, state: State, at: float, source: Source) -> None:
        """Take it that an attempt came into a state."""
        marks = self._marks.setdefault(attempt, {})
        if state in marks and marks[state][0] >= source:
            return
        marks[state] = (source, at)
        self._made = self._known or None

    def leave(self, attempt: int, at: float, source: Source) -> None:
        """Take it that an attempt ended."""
        if attempt in self._ends and self._ends[attempt][0] >= source:
            return
        self._ends[attempt] = (source, at)
        self._made = self._known or None

    def explain(self, attempt: int, reason: str) -> None:
        """Take a reason for the end of an attempt."""
        self._reasons.setdefault(attempt, reason)

    def _notice(self, attempt: int, state: State, now: float) -> None:
        """Take it that an attempt is in a state, unless more is known by now."""
        marks = self._marks.get(attempt, {})
        ahead = any(_WAY.index(known) >= _WAY.index(state) for known in marks)
        if ahead or attempt in self._ends or attempt < max(self._marks):
            return
        waits = state in (State.PENDING, State.RUNNABLE)
        if waits and not self._looked and State.SUBMITTED in marks:
            # Nobody has looked before: it has been so since long ago, for all that is known.
            now = marks[State.SUBMITTED][1]
        self.enter(attempt, state, now, Source.NOTICED)

    def stays(self) -> tuple[Stay, ...]:
        """Return the states so far, the oldest first; the last one's `until` may be open."""
        if self._made is None:
            self._made = tuple(self._stays())
        return self._made

    def endings(self) -> Mapping[int, str]:
        """Return why attempts ended, by their numbers: what they raised, else what is said."""
        return {**self._reasons, **self._errors}

    def _stays(self) -> Iterator[Stay]:
        events = [(n, state, at) for n in sorted(self._marks) for state, at in self._events(n)]
        times = list(accumulate((at for _, _, at in events), max))
        for (attempt, state, _), since, until in zip(
            events, times, [*times[1:], None], strict=True
        ):
            if state is not None:
                yield Stay(state, attempt, since, until)

    def _events(self, attempt: int) -> list[tuple[State | None, float]]:
        """Return an attempt's states in their order, and its end, if it has come, as None."""
        marks = self._marks[attempt]
        found: dict[State, float] = {state: marks[state][1] for state in _WAY if state in marks}
        began = self._began(attempt)
        if began is not None and _waited(marks):
            found[State.RUNNABLE] = began
        events: list[tuple[State | None, float]] = [(s, found[s]) for s in _WAY if s in found]
        return [*events, (None, self._ends[attempt][1])] if attempt in self._ends else events

    def _began(self, attempt: int) -> float | None:
        """Return when an attempt began to wait, if that is known."""
        first = self._marks[attempt].get(State.SUBMITTED) or self._ends.get(attempt - 1)
        return first[1] if first is not None else None


def _waited(marks: Mapping[State, _Mark]) -> bool:
    """Tell whether an attempt was RUNNABLE from its beginning, though nobody saw it begin."""
    if State.RUNNABLE in marks:
        # Batch puts a job that is tried again back at once; here it is noticed later.
        return State.SUBMITTED not in marks and marks[State.RUNNABLE][0] is Source.NOTICED
    return State.PENDING not in marks and not marks.keys().isdisjoint(_WAY[3:])
