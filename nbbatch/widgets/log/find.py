"""Windows of a spool: some lines, and where a text is found."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nbbatch.widgets.log.lines import Cursor, clipped
from nbbatch.widgets.log.spool import Spool
from nbbatch.widgets.log.text import Line, encodable, joined, plain, shown

__all__ = ["Found", "Window", "find", "window"]

#: What one answer holds at most; a page asks again for what is missing.
WINDOW_LINES = 5000
WINDOW_CHARS = 1_000_000
FIND_LIMIT = 1000
FIND_SECONDS = 0.05


@dataclass(frozen=True)
class Window:
    """Finished lines from `first` on: each ends with a newline, neighbours of a stream joined."""

    first: int
    count: int
    parts: tuple[Line, ...]


@dataclass(frozen=True)
class Found:
    """The lines that hold a text, and the line to go on from; None where all were looked at."""

    lines: tuple[int, ...]
    next: int | None


def window(spool: Spool, first: int, count: int) -> Window:
    """Return up to `count` lines from `first` on, as many as fit into one answer.

    Raises
    ------
    Lost
    """
    first = max(0, first)
    last = first + max(0, min(count, WINDOW_LINES))
    cursor, pieces = spool.read(first)
    parts: list[Line] = []
    room = WINDOW_CHARS
    begun = False
    for name, text in pieces:
        rest = _from(cursor, name, text, first)
        if cursor.number >= first and rest and not begun:
            cursor.restart()
            begun = True
        if not rest:
            continue
        if cursor.number >= last or room <= 0:
            break
        start = cursor.number
        lines = [clipped(line) for line in cursor.feed(name, rest)[: last - start]]
        parts += [(name, f"{line}\n") for line in lines]
        room -= sum(map(len, lines))
    kept = joined(parts)
    return Window(first, sum(text.count("\n") for _, text in kept), tuple(kept))


def _from(cursor: Cursor, name: str, text: str, line: int) -> str:
    """Pass what lies before a line; return what is left of the text."""
    missing = line - cursor.number
    if missing <= 0:
        return text
    if text.count("\n") < missing:
        cursor.skip(name, text)
        return ""
    rest = text.split("\n", missing)[-1]
    cursor.skip(name, text[: len(text) - len(rest)])
    return rest


def find(
    spool: Spool,
    text: str,
    *,
    case: bool = False,
    first: int = 0,
    limit: int = FIND_LIMIT,
    seconds: float = FIND_SECONDS,
) -> Found:
    """Look for lines that hold `text`, as they are shown, for a moment.

    Parameters
    ----------
    case
        Whether upper and lower case differ.
    first
        The line to begin with.
    limit
        How many lines to find at most.
    seconds
        After which it stops; at least one line is looked at.

    Raises
    ------
    Lost
    """
    wanted = _Wanted(text, case)
    end = time.monotonic() + seconds
    cursor, pieces = spool.read(first)
    hits: list[int] = []
    for name, piece in pieces:
        rest = _from(cursor, name, piece, first)
        if rest:
            hits += wanted.lines(cursor, name, rest)
        if len(hits) >= limit:
            return Found(tuple(hits[:limit]), hits[limit - 1] + 1)
        # Not in the middle of a line: the next call would not come further.
        if cursor.number > first and time.monotonic() > end:
            return Found(tuple(hits), cursor.number)
    return Found(tuple(hits), None)


class _Wanted:
    """A text that is looked for, in many lines at once where none of them holds it."""

    def __init__(self, text: str, case: bool) -> None:
        self._case = case
        self._text = self._folded(encodable(text))

    def _folded(self, text: str) -> str:
        return text if self._case else text.lower()

    def lines(self, cursor: Cursor, name: str, text: str) -> list[int]:
        """Pass a text, and return the numbers of the lines in it that hold the wanted one."""
        start = cursor.number
        if not self._possible(cursor, name, text):
            cursor.skip(name, text)
            return []
        lines = cursor.feed(name, text)
        return [start + at for at, line in enumerate(lines) if self._held(shown(line))]

    def _possible(self, cursor: Cursor, name: str, text: str) -> bool:
        # What a return writes over is known only line by line.
        if "\r" in text or self._held(plain(text)):
            return True
        # The first line has begun earlier.
        return self._held(shown(cursor.unfinished(name) + text.split("\n", 1)[0]))

    def _held(self, text: str) -> bool:
        return self._text in self._folded(text)
