"""What the children of an array have used, as far as anybody has read of it."""

from __future__ import annotations

import threading
from dataclasses import replace

from nbbatch.facts import Children, JobFacts, Usage
from nbbatch.wire.spec import Outcome

__all__ = ["Used"]

#: Children that are asked what they have used, at the end: each costs a call.
_ASKED = 8


class Used:
    """The most that any child used which has told; safe to call from any thread.

    Parameters
    ----------
    children
        How many there are, and what each has got.

    Attributes
    ----------
    peak
        The most of each figure; None while none has told.
    longest
        The seconds that the longest of them took.
    seconds, items
        What the items took together of the children that have ended well, and how many these were.
    """

    def __init__(self, children: Children) -> None:
        self._children = children
        self._lock = threading.Lock()
        self._told: set[int] = set()
        self.restart()

    def restart(self) -> None:
        """Forget all."""
        self.peak: Usage | None = None
        self.longest = self.seconds = 0.0
        self.items = 0
        self._told.clear()

    def take(self, child: int, outcome: Outcome | None) -> None:
        """Take what a child says of its own use, whoever has read it."""
        figures = dict(outcome.usage) if outcome is not None else {}
        with self._lock:
            # One that was ended from outside tells of itself otherwise.
            if child in self._told or not {"memory", "cpu", "seconds"} <= figures.keys():
                return
            self._told.add(child)
            peak = self.peak or Usage()
            cpu, memory = max(peak.cpu, figures["cpu"]), max(peak.memory, int(figures["memory"]))
            self.peak = Usage(cpu=cpu, memory=memory)
            self.longest = max(self.longest, figures["seconds"])
            self.seconds += figures["seconds"]
            self.items += self._items_of(child)

    def _items_of(self, child: int) -> int:
        size, every = self._children.chunksize, self._children.items
        return min(size, max(every - child * size, 0))

    def on(self, facts: JobFacts) -> JobFacts:
        """Return the facts of the array with what is known."""
        children = facts.children
        if self.peak is None or children is None:
            return facts
        children = replace(children, told=len(self._told), longest=self.longest)
        return replace(facts, peak=self.peak, children=children)

    def to_ask(self) -> list[int]:
        """Choose children, from the first to the last, that are to be asked: few of many."""
        size = self._children.size
        asked = min(size, _ASKED)
        if len(self._told) >= asked:
            return []
        chosen = {index * (size - 1) // max(asked - 1, 1) for index in range(asked)}
        return sorted(chosen - self._told)
