"""The job's way through the states, with the time that it spent in each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from nbbatch.facts import JobFacts, State, Stay
from nbbatch.widgets.log import plain
from nbbatch.widgets.model.children import children_note
from nbbatch.widgets.model.states import LIVE
from nbbatch.widgets.model.texts import clip, duration

__all__ = ["Earlier", "Step", "ran", "steps", "steps_before", "times"]

_WAY = (State.SUBMITTED, State.RUNNABLE, State.STARTING, State.RUNNING)
_MAX_REASON = 200
_RUNNING = LIVE[State.RUNNING][0]


@dataclass(frozen=True)
class Step:
    """One state on the job's way.

    Attributes
    ----------
    phase
        ``done``, ``now`` or ``next``.
    since, until
        Seconds since the epoch, None where it is not known or not yet so.
    time
        How long the state lasted, as text; ``""`` where that is not known, or it lasts.
    note
        How far an array has come in it.
    """

    word: str
    phase: str
    since: float | None = None
    until: float | None = None
    time: str = ""
    note: str = ""


@dataclass(frozen=True)
class Earlier:
    """An attempt before the current one: its number, how it ended, and after how long."""

    attempt: int
    word: str
    time: str
    message: str = ""


def times(facts: JobFacts, until: float) -> str:
    """Write how long a job waited and ran, in all its attempts."""
    if facts.started_at is None:
        return f"waited {duration(until - facts.submitted_at)}"
    if len(facts.stays) > 1:
        running = ran(facts.stays, until)
        return f"waited {duration(until - facts.submitted_at - running)}, ran {duration(running)}"
    waited = duration(facts.started_at - facts.submitted_at)
    return f"waited {waited}, ran {duration(until - facts.started_at)}"


def ran(stays: Iterable[Stay], until: float) -> float:
    """Return the seconds that all attempts ran, up to `until`."""
    running = (stay for stay in stays if stay.state is State.RUNNING)
    return sum(max(0.0, _end(stay, until) - stay.since) for stay in running)


def _end(stay: Stay, until: float) -> float:
    return until if stay.until is None else stay.until


def steps(facts: JobFacts, word: str) -> tuple[Step, ...]:
    """Draw the current attempt's way; a job that ended early skips what it never reached."""
    stays = {stay.state: stay for stay in facts.stays if stay.attempt == facts.attempt}
    way = _way(facts, stays.keys())
    ended = facts.done or facts.state.final
    at = len(way) if ended else way.index(facts.state)
    if ended and facts.outcome != "ok":
        reached = [i for i, state in enumerate(way) if state in stays]
        reached += [len(way) - 1] if facts.started_at is not None and facts.attempt == 1 else [0]
        way = way[: max(reached) + 1]
        at = len(way)
    phases = ["done" if i < at else "now" if i == at else "next" for i in range(len(way) + 1)]
    drawn = [_step(s, p, stays.get(s)) for s, p in zip(way, phases, strict=False)]
    note = children_note(facts)
    drawn = [replace(s, note=note) if s.word == _RUNNING and note else s for s in drawn]
    last = Step(word if ended else "Done", phases[-1], facts.stopped_at if ended else None)
    return (*drawn, last)


def _way(facts: JobFacts, known: Iterable[State]) -> list[State]:
    """Return the states that the attempt comes through, those that are left out as a rule too."""
    known = set(known) | {facts.state}
    way = list(_WAY)
    if State.PENDING in known:
        # Only jobs that depend on others stay in this state for longer than a moment.
        way.insert(1, State.PENDING)
    if facts.attempt > 1 and State.SUBMITTED not in known:
        way.remove(State.SUBMITTED)
    return way


def _step(state: State, phase: str, stay: Stay | None) -> Step:
    word = LIVE[state][0]
    if stay is None or phase == "next":
        return Step(word, phase)
    until = None if phase == "now" else stay.until
    time = "" if until is None else duration(until - stay.since)
    return Step(word, phase, stay.since, until, time)


def steps_before(facts: JobFacts) -> tuple[Earlier, ...]:
    """Tell of each attempt before the current one how it ended, and how long it ran."""
    numbers = {stay.attempt for stay in facts.stays} | set(facts.endings)
    return tuple(_earlier(facts, number) for number in sorted(numbers) if number < facts.attempt)


def _earlier(facts: JobFacts, attempt: int) -> Earlier:
    own = [stay for stay in facts.stays if stay.attempt == attempt]
    running = any(stay.state is State.RUNNING for stay in own)
    message = clip(" ".join(plain(facts.endings.get(attempt, "")).split()), _MAX_REASON)
    time = duration(ran(own, own[-1].since)) if running else ""
    return Earlier(attempt, LIVE[State.FAILED][0] if running else "Not started", time, message)
