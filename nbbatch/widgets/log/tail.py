"""The last lines of a job's text, as a terminal would show them, without escapes."""

from __future__ import annotations

from collections import deque

from nbbatch.widgets.log.text import RAW_CHARS, Line, collapsed, shown

__all__ = ["TAIL_LINES", "Tail"]

TAIL_LINES = 200


class Tail:
    """The end of a log: finished lines, and below them the unfinished ones."""

    def __init__(self, limit: int = TAIL_LINES) -> None:
        self._limit = limit
        self._lines: deque[Line] = deque(maxlen=limit)
        self._open: dict[str, str] = {}

    def feed(self, name: str, text: str) -> None:
        """Append a text as it came."""
        # Only the end can stay: what lies before it is not looked at.
        *finished, last = text.rsplit("\n", self._limit + 1)
        begun = self._open.pop(name, "")
        if finished:
            finished[0] = begun + finished[0]
            begun = ""
        self._lines.extend((name, shown(line)) for line in finished[-self._limit :])
        if begun or last:
            self._open[name] = collapsed(begun + last)[-RAW_CHARS:]

    def forget_begun(self) -> None:
        """Drop the unfinished lines: their ends were left out."""
        self._open.clear()

    def finished(self) -> list[Line]:
        """Return the finished lines."""
        return list(self._lines)

    def begun(self) -> list[Line]:
        """Return the unfinished lines as they came, the one that grew last at the end."""
        return list(self._open.items())

    def lines(self) -> list[Line]:
        """Return the finished lines, and below them the unfinished ones."""
        begun = [(name, shown(text)) for name, text in self._open.items()]
        return [*self._lines, *begun][-self._limit :]
