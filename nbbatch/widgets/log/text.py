"""What a line of a job's output says: as a terminal would show it, and as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Line", "collapsed", "encodable", "joined", "plain", "shown", "styles"]

#: (stdout or stderr, text)
Line = tuple[str, str]

#: What is shown of a line, its end; and what of an unfinished one is kept, escapes included.
LINE_CHARS = 4000
RAW_CHARS = 4 * LINE_CHARS

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~]?)"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_STYLE = re.compile(r"\x1b\[[0-9;:]*m")
_RESET = re.compile(r"\x1b\[(?:0*[;:][0-9;:]*|0*)m")
#: A sequence at the end whose rest may still come.
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*|[PX^_][^\x1b]*|[ -/]*)\Z")
#: What several progress bars write: the next text goes on an earlier row.
CURSOR_UP = re.compile(r"\x1b\[(\d*)A")
_ERASE = re.compile(r"\x1b\[([0-2]?)K")
#: Different style sequences since the last reset that are remembered.
_STYLES = 64


def plain(text: str) -> str:
    """Take out escape sequences, control characters and lone surrogates.

    Tabs and newlines stay.
    """
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return text if text.isprintable() else _CONTROL.sub("", text)


def encodable(text: str) -> str:
    """Replace lone surrogates: no message and no notebook file can hold them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def joined(parts: Iterable[Line]) -> list[Line]:
    """Join neighbours of one stream."""
    result: list[tuple[str, list[str]]] = []
    for name, text in parts:
        if result and result[-1][0] == name:
            result[-1][1].append(text)
        else:
            result.append((name, [text]))
    return [(name, "".join(texts)) for name, texts in result]


def shown(line: str) -> str:
    """Return what a terminal would show of a line, without its colours; cut to its end."""
    text = plain(line) if "\r" not in line and "K" not in line else _overwritten(line)
    return text if len(text) <= LINE_CHARS else "…" + text[1 - LINE_CHARS :]


def _overwritten(line: str) -> str:
    """Write over what stands there after each carriage return, and erase what is to be erased."""
    cells = ""
    for part in line.split("\r"):
        column = 0
        for at, piece in enumerate(_ERASE.split(part)):
            if at % 2 == 0:
                text = plain(piece)
                cells = cells[:column] + text + cells[column + len(text) :]
                column += len(text)
            elif piece == "2":
                cells = " " * column
            elif piece != "1":
                cells = cells[:column]
    return cells


def collapsed(line: str, *, begun: bool = False) -> str:
    """Leave out the writings of a line that later ones cover, but for their styles.

    Parameters
    ----------
    begun
        Whether the line began earlier: how far its first writing reaches is not known then.
    """
    if "\r" not in line or ("\x1b[" in line and CURSOR_UP.search(line)):
        return line
    first, *parts = line.split("\r")
    if not begun:
        parts.insert(0, first)
    kept = [parts.pop()]
    width, erased = _extent(_BEGUN.sub("", kept[0]))
    style = ""  # of what was left out before the last one kept
    while parts:
        part = parts.pop()
        reach, erases = _extent(part)
        if erased or reach <= width:
            style = styles(part + style)
        else:
            kept[-1] = style + kept[-1]
            kept.append(part)
            width, style = reach, ""
        erased = erased or erases
    kept[-1] = style + kept[-1]
    if begun:
        kept.append(first)
    return "\r".join(reversed(kept))


def _extent(part: str) -> tuple[int, bool]:
    """Return how many columns a writing covers, and whether it erases what is beyond them."""
    if "\x1b" not in part:
        return len(part), False
    erases = any(mode != "1" for mode in _ERASE.findall(part))
    return len(plain(part)), erases


def styles(text: str) -> str:
    """Return the style sequences of a text that are still in force at its end.

    A sequence that comes again counts where it comes last: what holds is what was said last.
    """
    if "\x1b" not in text:
        return ""
    # From the last reset on; looked for from the end, where it usually is.
    found = _STYLE.findall(text, max(text.rfind("\x1b[0m"), text.rfind("\x1b[m"), 0))
    kept: dict[str, None] = {}
    for sequence in reversed(found):
        kept[sequence] = None
        if _RESET.fullmatch(sequence) or len(kept) == _STYLES:
            break
    return "".join(reversed(kept))
