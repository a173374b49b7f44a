"""What came since the last look: bounded, and cheap per line."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from nbbatch.widgets.log.lines import Cursor, clipped
from nbbatch.widgets.log.text import Line, collapsed, encodable, joined

__all__ = ["Batch", "Pending"]

#: A batch holds no more than this.
BATCH_LINES = 2000
BATCH_CHARS = 400_000
#: Where lines must be left out nobody can read along: then it holds only these.
FLOOD_LINES = 500


@dataclass(frozen=True)
class Batch:
    """What came since the last one.

    Attributes
    ----------
    first
        The number of the first line that the text finishes.
    fresh
        Whether some was left out before it: then the text begins at the start of a line, whatever
        had begun before, and in the style that holds there.
    """

    first: int
    fresh: bool
    parts: tuple[Line, ...]


class Pending:
    """Texts waiting for the next look; the newest ones win over the bound."""

    def __init__(self) -> None:
        self._parts: deque[tuple[str, str, int]] = deque()
        self._chars = 0
        self._cursor = Cursor()
        self._first = 0  # what the page has been given

    def add(self, name: str, text: str, newlines: int) -> None:
        """Append a text that has so many newlines."""
        self._parts.append((name, text, newlines))
        self._chars += len(text)
        while self._chars > 4 * BATCH_CHARS and len(self._parts) > 1:
            self._chars -= len(self._parts[0][1])
            self._cursor.skip(*self._parts.popleft())

    def take(self) -> Batch | None:
        """Return and forget what came, None where nothing did."""
        if not self._parts:
            return None
        batch = self._whole() if self._fits() else self._newest()
        self._parts.clear()
        self._chars = 0
        self._first = self._cursor.number
        return batch

    def _fits(self) -> bool:
        few = sum(newlines for _, _, newlines in self._parts) <= BATCH_LINES
        return few and self._chars <= BATCH_CHARS and self._cursor.number == self._first

    def _whole(self) -> Batch:
        first = self._cursor.number
        for part in self._parts:
            self._cursor.skip(*part)
        parts = joined((name, text) for name, text, _ in self._parts)
        sent = ((name, _collapsed(encodable(text))) for name, text in parts)
        return Batch(first, fresh=False, parts=tuple(sent))

    def _newest(self) -> Batch:
        """Keep the newest lines within the bounds, and what has begun after them."""
        kept: list[Line] = []
        lines = FLOOD_LINES
        while self._parts and lines > 0:
            name, text, newlines = self._parts.pop()
            at = _start_of(text, lines)
            end = text[at:]
            count = end.count("\n")
            if at:
                self._parts.append((name, text[:at], newlines - count))
            kept.append((name, end))
            lines -= count
        for part in self._parts:
            self._cursor.skip(*part)
        return self._lines(kept[::-1])

    def _lines(self, parts: list[Line]) -> Batch:
        number = self._cursor.number
        self._cursor.restart()
        found = [
            (name, clipped(encodable(line)) + "\n")
            for name, text in parts
            for line in self._cursor.feed(name, text)
        ]
        begun = [(name, clipped(encodable(text))) for name, text in self._cursor.begun()]
        while len(found) > 1 and sum(len(text) for _, text in found) > BATCH_CHARS:
            number += len(found) // 2 + 1
            found = found[len(found) // 2 + 1 :]
        return Batch(number, fresh=True, parts=tuple(joined([*found, *begun])))


def _start_of(text: str, lines: int) -> int:
    """Return where the last `lines` lines of a text begin."""
    at = len(text)
    for _ in range(lines + 1):
        at = text.rfind("\n", 0, at)
        if at < 0:
            return 0
    return at + 1


def _collapsed(text: str) -> str:
    """Leave out what a carriage return rewrote, line by line."""
    if "\r" not in text:
        return text
    first, *lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join([collapsed(first, begun=True), *map(collapsed, lines)])
