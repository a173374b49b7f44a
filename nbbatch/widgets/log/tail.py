"""The last lines of a job's text, as a terminal would show them, without escapes."""

from __future__ import annotations

from collections import deque
from itertools import islice

from nbbatch.widgets.log.text import CURSOR_UP, RAW_CHARS, Line, collapsed, shown

__all__ = ["TAIL_LINES", "Tail"]

TAIL_LINES = 200


class Tail:
    """The end of a log: finished lines, and below them the unfinished ones."""

    def __init__(self, limit: int = TAIL_LINES) -> None:
        self._limit = limit
        self._lines: deque[Line] = deque(maxlen=limit)
        self._above: dict[str, int] = {}  # how far above the next new row a stream writes
        self._open: dict[str, str] = {}

    def feed(self, name: str, text: str) -> None:
        """Append a text as it came."""
        # Only the end can stay: what lies before it is not looked at.
        *finished, last = text.rsplit("\n", self._limit + 1)
        begun = self._open.pop(name, "")
        if finished:
            finished[0] = begun + finished[0]
            begun = ""
        for line in finished[-self._limit :]:
            self._finish(name, line)
        if begun or last:
            self._open[name] = collapsed(begun + last)[-RAW_CHARS:]

    def _finish(self, name: str, line: str) -> None:
        above = self._above.get(name, 0)
        if not above and "\x1b[" not in line:
            self._lines.append((name, shown(line)))
            return
        for at, piece in enumerate(CURSOR_UP.split(line)):
            if at % 2:
                above += int(piece or 1)
            elif above:
                self._write_on(name, above, shown(piece))
            else:
                self._lines.append((name, shown(piece)))
                above = 1
        self._above[name] = max(0, above - 1)

    def _write_on(self, name: str, above: int, text: str) -> None:
        """Write on the row that is so many of the stream's rows from the end."""
        rows = (at for at in range(len(self._lines) - 1, -1, -1) if self._lines[at][0] == name)
        at = next(islice(rows, above - 1, None), None)
        if at is not None:
            self._lines[at] = (name, text + self._lines[at][1][len(text) :])

    def forget_begun(self) -> None:
        """Drop the unfinished lines: their ends were left out."""
        self._open.clear()
        self._above.clear()

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
