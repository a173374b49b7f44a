"""The job's way through the states, with the time that it spent in each."""

from __future__ import annotations

from dataclasses import dataclass

from nbbatch.facts import JobFacts, State
from nbbatch.widgets.model.states import LIVE
from nbbatch.widgets.model.texts import duration

__all__ = ["Earlier", "Step", "steps", "times"]

_WAY = (State.SUBMITTED, State.RUNNABLE, State.STARTING, State.RUNNING)


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
    """

    word: str
    phase: str
    since: float | None = None
    until: float | None = None
    time: str = ""


@dataclass(frozen=True)
class Earlier:
    """An attempt before the current one: its number, how it ended, and after how long."""

    attempt: int
    word: str
    time: str
    message: str = ""


def times(facts: JobFacts, until: float) -> str:
    """Write how long a job waited and ran."""
    if facts.started_at is None:
        return f"waited {duration(until - facts.submitted_at)}"
    waited = duration(facts.started_at - facts.submitted_at)
    return f"waited {waited}, ran {duration(until - facts.started_at)}"


def steps(facts: JobFacts, word: str) -> tuple[Step, ...]:
    """Draw the way from SUBMITTED on; a job that ended early skips what it never reached."""
    waiting = State.PENDING if facts.state is State.PENDING else State.RUNNABLE
    way = [waiting if state is State.RUNNABLE else state for state in _WAY]
    ended = facts.done or facts.state.final
    at = len(way) if ended else way.index(facts.state)
    if ended and facts.started_at is None and facts.outcome != "ok":
        way, at = way[:1], 1
    words = [LIVE[state][0] for state in way] + [word if ended else "Done"]
    return tuple(
        Step(text, "done" if i < at else "now" if i == at else "next")
        for i, text in enumerate(words)
    )
