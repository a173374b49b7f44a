"""The children of an array: what is known of thousands, kept small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbbatch.facts.states import State

_STATES = tuple(State)


@dataclass(frozen=True)
class Child:
    """A child of an array that has failed, and why in a line."""

    index: int
    message: str = ""


@dataclass(frozen=True)
class Children:
    """The children of an array, in a form that stays small and cheap with 10,000 of them.

    Attributes
    ----------
    items, chunksize
        How many items the job is mapped over, and how many of them a child gets.
    counts
        How many are in which state, as far as anybody tells.
    states
        The state of each, as a digit: its place in `State`. Those that live and that nobody tells
        of one by one are SUBMITTED here, whatever `counts` says of them together.
    failed
        The first that have failed, with their reasons as far as known.
    ran
        Seconds that all those have run together that have ended; None where nobody has looked.
    live, since
        How many run besides, and when these began, on average: seconds since the epoch.
    told, longest
        Of how many it is known what they have used, and the seconds that the longest of these
        took. Such figures are in `JobFacts.peak`: the most of each, of CPUs the average of one.
    """

    size: int
    items: int
    chunksize: int = 1
    counts: Mapping[State, int] = field(default_factory=dict)
    states: str = ""
    failed: tuple[Child, ...] = ()
    ran: float | None = None
    live: int = 0
    since: float = 0.0
    told: int = 0
    longest: float = 0.0

    @property
    def done(self) -> int:
        """How many have ended."""
        return self.counts.get(State.SUCCEEDED, 0) + self.counts.get(State.FAILED, 0)

    def state(self, index: int) -> State:
        """Return the state of one child."""
        return _STATES[int(self.states[index])]

    def indexes(self, state: State) -> list[int]:
        """Return the children that are in a state, as far as it is told of each."""
        digit = str(_STATES.index(state))
        return [index for index, each in enumerate(self.states) if each == digit]
