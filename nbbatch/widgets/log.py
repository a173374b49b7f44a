"""The text of a job on its way to a view: bounded, and cheap per line.

`Pending` collects what came since the last look, `Tail` keeps the last lines as a person would
see them: a carriage return rewrites its line, an unfinished line stays below the finished ones.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

__all__ = ["Batch", "Line", "Pending", "Tail", "plain"]

#: (stdout or stderr, text)
Line = tuple[str, str]

#: A batch holds no more than this; a page could not show more between two of them anyway.
BATCH_LINES = 2000
BATCH_CHARS = 400_000
TAIL_LINES = 200
LINE_CHARS = 2000

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~]?)"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def plain(text: str) -> str:
    """Take out escape sequences, control characters and lone surrogates.

    Tabs and newlines stay.
    """
    return _CONTROL.sub("", _ESCAPE.sub("", text))


@dataclass(frozen=True)
class Batch:
    """What came since the last one: `parts` in order, and how many lines were left out."""

    parts: tuple[Line, ...]
    skipped: int


class Pending:
    """Texts waiting for the next look; the newest ones win over the bound."""

    def __init__(self) -> None:
        self._parts: deque[Line] = deque()
        self._chars = 0
        self._skipped = 0

    def add(self, name: str, text: str) -> None:
        """Append a text, in constant time."""
        self._parts.append((name, text))
        self._chars += len(text)
        while self._chars > 4 * BATCH_CHARS and len(self._parts) > 1:
            old = self._parts.popleft()[1]
            self._chars -= len(old)
            self._skipped += old.count("\n")

    def take(self) -> Batch | None:
        """Return and forget what came, None where nothing did."""
        if not self._parts:
            return None
        parts = [(name, _overwritten(text)) for name, text in _joined(self._parts)]
        parts, cut = _newest(parts)
        batch = Batch(tuple(parts), self._skipped + cut)
        self._parts.clear()
        self._chars = self._skipped = 0
        return batch


def _joined(parts: deque[Line]) -> list[Line]:
    """Join neighbours of one stream."""
    result: list[tuple[str, list[str]]] = []
    for name, text in parts:
        if result and result[-1][0] == name:
            result[-1][1].append(text)
        else:
            result.append((name, [text]))
    return [(name, _encodable("".join(texts))) for name, texts in result]


def _encodable(text: str) -> str:
    """Replace lone surrogates: no message and no notebook file can hold them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _overwritten(text: str) -> str:
    """Leave out what a carriage return rewrote, all but the return itself."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(_last_writing(line) for line in lines)


def _last_writing(line: str) -> str:
    # A return at the very end has rewritten nothing yet.
    at = line.rfind("\r", 0, len(line) - 1)
    return line if at < 0 else line[at:]


def _newest(parts: list[Line]) -> tuple[list[Line], int]:
    """Keep the newest lines within the bounds; also return how many lines that left out."""
    lines, chars, kept, cut = BATCH_LINES, BATCH_CHARS, [], 0
    for name, text in reversed(parts):
        count = text.count("\n")
        if lines <= 0 or chars <= 0:
            cut += count
            continue
        piece = _end_of(text, lines, chars)
        cut += count - piece.count("\n")
        lines -= piece.count("\n")
        chars -= len(piece)
        kept.append((name, piece))
    return kept[::-1], cut


def _end_of(text: str, lines: int, chars: int) -> str:
    if len(text) > chars:
        text = text[-chars:]
        text = text[text.find("\n") + 1 :] or text
    if text.count("\n") > lines:
        text = "\n".join(text.rsplit("\n", lines + 1)[1:])
    return text


class Tail:
    """The last lines of a log, without escapes."""

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
        self._lines.extend((name, _clean(line)) for line in finished[-self._limit :])
        if begun or last:
            self._open[name] = _last_writing(begun + last)[-4 * LINE_CHARS :]

    def lines(self) -> list[Line]:
        """Return the finished lines, and below them the unfinished ones."""
        begun = [(name, _clean(text)) for name, text in self._open.items()]
        return [*self._lines, *begun][-self._limit :]


def _clean(line: str) -> str:
    text = plain(_last_writing(line.rstrip("\r")))
    return text if len(text) <= LINE_CHARS else "…" + text[1 - LINE_CHARS :]
