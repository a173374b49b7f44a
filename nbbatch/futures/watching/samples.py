"""What an attempt used over time: a bounded number of samples, thinned out evenly."""

from __future__ import annotations

from collections.abc import Iterable

from nbbatch.facts import SAMPLES, Sample, Usage
from nbbatch.futures.watching.changes import fullest, usage_of
from nbbatch.wire.frames import Frame

#: Seconds between two samples at first, about: as often as the worker takes them.
_SPACING = 1.0


class Samples:
    """Keeps one sample in each stretch of time; the stretches double when there are too many.

    Of several nodes each has its sample in a stretch, and the fullest is kept: they may be read
    one after the other, in any order.
    """

    def __init__(self) -> None:
        self._spacing = _SPACING
        self._kept: dict[int, Sample] = {}
        #: The stretch in which each node was last heard.
        self._heard: dict[int, int] = {}
        self._latest = 0.0
        self._made: tuple[Sample, ...] = ()

    def read(self, node: int, frames: Iterable[Frame]) -> None:
        """Take the samples among a node's frames, which are in their order."""
        for item in frames:
            if item["kind"] == "usage" and not item.get("final"):
                self._take(node, item)

    def _take(self, node: int, item: Frame) -> None:
        at = item["t"]
        self._latest = max(self._latest, at)
        stretch = int(at / self._spacing)
        if stretch <= self._heard.get(node, -1):
            return
        self._heard[node] = stretch
        other, usage = self._kept.get(stretch), usage_of(item)
        if other is not None:
            at, usage = min(other.at, at), fullest((other.usage, usage)) or usage
        self._kept[stretch] = Sample(at, usage)
        self._made = ()
        # One less than there may be: the latest one comes on top.
        while len(self._kept) >= SAMPLES:
            self._thin()

    def _thin(self) -> None:
        self._spacing *= 2
        kept: dict[int, Sample] = {}
        for stretch in sorted(self._kept):
            kept.setdefault(stretch // 2, self._kept[stretch])
        self._kept = kept
        self._heard = {node: stretch // 2 for node, stretch in self._heard.items()}

    def upto(self, now: Usage | None) -> tuple[Sample, ...]:
        """Return what is kept, and last what is used `now`."""
        if not self._made and self._kept:
            self._made = tuple(self._kept[stretch] for stretch in sorted(self._kept))
        if now is None or not self._made or self._made[-1].at >= self._latest:
            return self._made
        return (*self._made, Sample(self._latest, now))
