"""What a page asks about a log, and what it is told (page/requests.js).

======================================================  ==========================================
``{ask: "lines", id, first, count}``                    ``{kind: "lines", id, first, count, parts}``
``{ask: "find", id, text, case, from, limit}``          ``{kind: "found", id, lines, next}``
``{ask: "download", id, at}``                           ``{kind: "file", id, next, end, of}``, bytes
======================================================  ==========================================

An answer may hold less than was asked for; the page asks again for the rest, so that no answer is
long, and nothing is sent faster than it is taken. What can't be told is answered with ``error``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbbatch.widgets.log.find import FIND_LIMIT, WINDOW_LINES, find, window
from nbbatch.widgets.log.spool import Lost, Spool

__all__ = ["ASKS", "Answer", "answer"]

#: A message, and its buffers.
Answer = tuple[dict[str, Any], list[bytes]]
#: The longest text that is looked for.
MAX_TEXT = 1000


def answer(spool: Spool, message: Mapping[str, Any]) -> Answer:
    """Answer one of `ASKS`."""
    kind, tell = ASKS[str(message["ask"])]
    head = {"kind": kind, "id": str(message.get("id", ""))}
    try:
        said, buffers = tell(spool, message)
    except (Lost, ValueError) as error:
        said, buffers = {"error": str(error)}, []
    return {**head, **said}, buffers


def _lines(spool: Spool, message: Mapping[str, Any]) -> Answer:
    first, count = _number(message, "first"), _number(message, "count", WINDOW_LINES)
    found = window(spool, first, count)
    return {"first": found.first, "count": found.count, "parts": found.parts}, []


def _find(spool: Spool, message: Mapping[str, Any]) -> Answer:
    text = str(message.get("text", ""))[:MAX_TEXT]
    if not text:
        raise ValueError("no text to look for")
    found = find(
        spool,
        text,
        case=bool(message.get("case", False)),
        first=_number(message, "from"),
        limit=max(1, min(_number(message, "limit", FIND_LIMIT), FIND_LIMIT)),
    )
    return {"lines": found.lines, "next": found.next, "of": spool.lines}, []


def _download(spool: Spool, message: Mapping[str, Any]) -> Answer:
    data, next_, end = spool.raw(_number(message, "at"))
    return {"next": next_, "end": end, "of": spool.size}, [data]


def _number(message: Mapping[str, Any], name: str, default: int = 0) -> int:
    value = message.get(name, default)
    if not isinstance(value, (int, float)) or not 0 <= value < 1 << 53:
        raise ValueError(f"{name} is no number of lines or bytes")
    return int(value)


_Tell = Callable[[Spool, Mapping[str, Any]], Answer]
#: What a page may ask: the kind of the answer, and who gives it.
ASKS: dict[str, tuple[str, _Tell]] = {
    "lines": ("lines", _lines),
    "find": ("found", _find),
    "download": ("file", _download),
}
