"""In which state each child of an array is, put together from names of objects and from counts.

The children's own objects tell of each: a claim that it has begun, an outcome that an attempt has
ended, a mark beside it that it failed. The backend tells how many are in which state, later, and
also of those that could not say anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from nbbatch.facts import Child, Children, State
from nbbatch.futures.array.spent import Ran
from nbbatch.wire import keys

_STATES = tuple(State)
#: States by which those are counted that live, from the one that is furthest.
_LIVE = (State.RUNNING, State.STARTING, State.RUNNABLE, State.PENDING)
_NOT_KNOWN = (None, 0, 0.0)
#: Children that have failed and are told of with their reasons.
TOLD = 50


class Ended(NamedTuple):
    """The last attempt of a child that has left an outcome."""

    attempt: int
    mark: str

    @property
    def final(self) -> bool:
        """Whether no other attempt follows."""
        return self.mark != keys.AGAIN


class Roster:
    """The children of one array.

    Attributes
    ----------
    first
        What was known of them at first.
    ended
        What the names of outcomes tell, by child.
    messages
        Why children have failed, as far as it was found out.
    over
        Whether all have ended.
    ran
        How long they have run; None where nobody has looked.
    """

    def __init__(self, children: Children) -> None:
        self.first = children
        self.size = children.size
        self.ended: dict[int, Ended] = {}
        self.messages: dict[int, str] = {child.index: child.message for child in children.failed}
        self._begun: dict[int, int] = {}
        self._lost: set[int] = set()
        self.over = not self.size
        self.ran: Ran | None = None
        self._before = 0
        self._counts: Mapping[State, int] = children.counts
        self._states = children.states or "0" * children.size

    def restart(self, before: int) -> None:
        """Begin anew: those that have failed in the attempts up to `before` are tried again."""
        self._before = before
        self.ended, self._begun, self._lost = {}, {}, set()
        self.messages, self._counts, self._states = {}, {}, "0" * self.size
        self.over = not self.size

    def take_outcomes(self, names: Iterable[str]) -> bool:
        """Take a listing of all outcomes; tell whether it says anything new."""
        marks: dict[tuple[int, int], str] = {}
        last: dict[int, int] = {}
        for attempt, child, mark in filter(None, map(keys.of_child, names)):
            if mark:
                marks[child, attempt] = mark
            elif child < self.size:
                last[child] = max(attempt, last.get(child, 0))
        # A mark may be there a moment before its outcome, which is what counts.
        every = {child: Ended(n, marks.get((child, n), "")) for child, n in last.items()}
        # What succeeded before the array started again counts, and what failed does not.
        found = {
            c: ended for c, ended in every.items() if ended.attempt > self._before or not ended.mark
        }
        new = found != self.ended
        self.ended = found
        self._settle()
        return new

    def take_claims(self, names: Iterable[str]) -> None:
        """Take a listing of all claims."""
        found = filter(None, map(keys.of_child, names))
        self._begun = {}
        for attempt, child, _ in found:
            if attempt > self._before:
                self._begun[child] = max(attempt, self._begun.get(child, 0))

    @property
    def all_begun(self) -> bool:
        """Whether each has begun the attempt that follows its last one, if any does."""
        return len(self._begun) == self.size and not any(
            self._begun[child] == ended.attempt and not ended.final
            for child, ended in self.ended.items()
        )

    def take_counts(self, counts: Mapping[State, int]) -> None:
        """Take what the backend says."""
        self._counts = counts

    def lose(self, children: Iterable[int]) -> None:
        """Take it that children have failed that will not say so themselves."""
        self._lost |= {child for child in children if not self.is_over(child)}
        self._settle()

    def _settle(self) -> None:
        ended = sum(each.final for each in self.ended.values())
        self.over = ended >= self.size or (bool(self._lost) and not self.unheard())

    def is_over(self, child: int) -> bool:
        """Tell whether a child has ended."""
        ended = self.ended.get(child)
        return child in self._lost or (ended is not None and ended.final)

    def ended_children(self) -> list[int]:
        """Return the children that have ended."""
        own = [child for child, ended in self.ended.items() if ended.final]
        return [*own, *(self._lost - self.ended.keys())]

    def unheard(self) -> list[int]:
        """Return the children that have not ended as far as their own objects tell."""
        return [child for child in range(self.size) if not self.is_over(child)]

    def attempt(self, child: int) -> int:
        """Return the attempt of a child that runs or ran last."""
        ended = self.ended.get(child)
        last = ended.attempt if ended is not None else 1
        return max(self._begun.get(child, self._before + 1), last)

    def failed(self) -> list[int]:
        """Return the children that have failed, in order."""
        own = {child for child, ended in self.ended.items() if ended.mark == keys.FAILED}
        return sorted(own | self._lost)

    @property
    def lost(self) -> bool:
        """Whether none of those that failed could say anything itself."""
        return bool(self._lost) and not any(each.mark for each in self.ended.values())

    @property
    def silent_failures(self) -> int:
        """How many the backend counts as failed beyond those that are known to have."""
        return self._counts.get(State.FAILED, 0) - len(self.failed())

    def children(self) -> Children:
        """Say how they are now."""
        states = "".join(map(self._digit, range(self.size))) if self._told else self._states
        failed = self.failed()[:TOLD] if self._told else sorted(self.messages)[:TOLD]
        return Children(
            self.size,
            self.first.items,
            self.first.chunksize,
            self._counted(states),
            states,
            tuple(Child(child, self.messages.get(child, "")) for child in failed),
            *(self.ran or _NOT_KNOWN),
        )

    @property
    def _told(self) -> bool:
        return bool(self.ended or self._begun or self._lost)

    def _digit(self, child: int) -> str:
        ended, begun = self.ended.get(child), self._begun.get(child, 0)
        if child in self._lost or (ended is not None and ended.mark == keys.FAILED):
            return _FAILED
        if ended is not None and ended.final:
            return _SUCCEEDED
        if begun > (ended.attempt if ended is not None else 0):
            return _RUNNING
        return _SUBMITTED if ended is None else _RUNNABLE

    def _counted(self, states: str) -> dict[State, int]:
        """Count what is told of each, and of the others what the backend tells of all."""
        own = {state: states.count(digit) for state, digit in _DIGITS.items()}
        said = self._counts
        found = {State.FAILED: max(own[State.FAILED], said.get(State.FAILED, 0))}
        left = self.size - found[State.FAILED]
        most = max(own[State.SUCCEEDED], said.get(State.SUCCEEDED, 0))
        found[State.SUCCEEDED] = min(left, most)
        left -= found[State.SUCCEEDED]
        for state in _LIVE:
            found[state] = min(left, max(own[state], said.get(state, 0)))
            left -= found[state]
        found[State.SUBMITTED] = left
        return {state: found[state] for state in State if found[state]}


_DIGITS = {state: str(number) for number, state in enumerate(_STATES)}
_SUBMITTED, _RUNNABLE = _DIGITS[State.SUBMITTED], _DIGITS[State.RUNNABLE]
_RUNNING = _DIGITS[State.RUNNING]
_SUCCEEDED, _FAILED = _DIGITS[State.SUCCEEDED], _DIGITS[State.FAILED]


def state_of_array(said: State, children: Children) -> State:
    """Return the state of an array: that of its child that is furthest, until all have ended."""
    counts = children.counts
    if said.final:
        return said
    if counts.get(State.RUNNING) or children.done:
        return State.RUNNING
    furthest = (State.STARTING, State.RUNNABLE, State.PENDING)
    return next((state for state in furthest if counts.get(state)), State.SUBMITTED)
