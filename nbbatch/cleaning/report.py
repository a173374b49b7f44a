"""What a cleaning took away and what it left, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nbbatch.cleaning.survey import Thing

#: What may be taken away, as it is told, one and several.
_WORDS = {
    "jobs": ("job", "jobs"),
    "cached": ("cached result", "cached results"),
    "shared": ("large value or library", "large values and libraries"),
    "probes": ("left-over of an examination", "left-overs of examinations"),
    "here": ("file or folder on this machine", "files and folders on this machine"),
}
_KIB = 1024


@dataclass
class Report:
    """What a cleaning took away, or would take away.

    Attributes
    ----------
    place
        The store.
    dry
        Whether nothing was taken away.
    gone
        How many things and bytes, by kind.
    kept
        Why jobs stayed, with how many of each.
    """

    place: str
    dry: bool
    gone: dict[str, tuple[int, int]] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, count: int, things: Iterable[Thing]) -> None:
        """Take note of what goes."""
        before, size = self.gone.get(kind, (0, 0))
        self.gone[kind] = (before + count, size + sum(thing.size for thing in things))

    def text(self) -> str:
        """Write it down."""
        verb = "would be removed" if self.dry else "removed"
        lines = [f"{self.place}:"]
        for kind, words in _WORDS.items():
            count, size = self.gone.get(kind, (0, 0))
            if count:
                lines.append(f"  {verb}: {count:,} {words[count > 1]}, {_size(size)}")
        if len(lines) == 1:
            lines.append("  nothing is old enough to be removed")
        stay = ", ".join(f"{count:,} {why}" for why, count in self.kept.items() if count)
        lines.append(f"  jobs that stay: {stay or 'none'}")
        return "\n".join(lines)


def _size(amount: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if amount < _KIB:
            return f"{amount:.0f} {unit}"
        amount /= _KIB
    return f"{amount:.1f} GB"
