"""Frames to notebook outputs, as nbformat has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nbbatch.wire.frames import Frame, merged

#: Characters of text output that a notebook takes; the front end and the file suffer above it.
TEXT_LIMIT = 400_000
#: Kinds of frames that are outputs; the others would only part the text.
_SHOWN = ("stream", "display", "result", "clear", "error")
#: Those of them that come at the end of a cell.
_LAST = ("result", "error")


def outputs(frames: Iterable[Frame]) -> list[dict[str, Any]]:
    """Return the outputs that a cell would have after these frames.

    `clear_output`, updated displays and the limit of text are taken into account.
    """
    result: list[dict[str, Any]] = []
    clear_next = False
    for item in merged(limited(item for item in frames if item["kind"] in _SHOWN)):
        if item["kind"] == "clear":
            if item["wait"]:
                clear_next = True
            else:
                result.clear()
            continue
        if item["kind"] == "display" and item.get("update"):
            _update(result, item)
            continue
        output = _output(item)
        if output is None:
            continue
        if clear_next:
            result.clear()
            clear_next = False
        result.append(output)
    for output in result:
        output.pop("_display_id", None)
    return result


def _output(item: Frame) -> dict[str, Any] | None:
    kind = item["kind"]
    if kind == "stream":
        return {"output_type": "stream", "name": item["name"], "text": item["text"]}
    if kind == "display":
        bundle = {"data": item["data"], "metadata": item["metadata"]}
        return {"output_type": "display_data", **bundle, "_display_id": item["display_id"]}
    if kind == "result":
        bundle = {"data": item["data"], "metadata": item["metadata"]}
        return {"output_type": "execute_result", "execution_count": None, **bundle}
    if kind == "error":
        traceback = "".join(item["traceback"]).splitlines()
        said = {"ename": item["ename"], "evalue": item["evalue"], "traceback": traceback}
        return {"output_type": "error", **said}
    return None


def _update(result: list[dict[str, Any]], item: Frame) -> None:
    for output in result:
        if output.get("_display_id") == item["display_id"]:
            output.update(data=item["data"], metadata=item["metadata"])


class TextLimit:
    """Lets the first part of a long output through, and keeps the last of the rest."""

    def __init__(self, limit: int = TEXT_LIMIT) -> None:
        self._head = limit // 2
        self._tail = limit // 2
        self._kept = ""
        self._left_out = 0

    def take(self, text: str) -> str:
        """Return what of `text` is to be shown now."""
        shown, rest = text[: self._head], text[self._head :]
        self._head -= len(shown)
        if rest:
            self._kept += rest
            self._left_out += max(0, len(self._kept) - self._tail)
            self._kept = self._kept[-self._tail :]
        return shown

    def end(self) -> str:
        """Return what is to be shown at the end: the tail, and how much is missing before it."""
        rest, left_out = self._kept, self._left_out
        self._kept, self._left_out = "", 0
        if not left_out:
            return rest
        return f"\n[... {left_out:,} characters left out; job.logs() has them ...]\n" + rest


def limited(frames: Iterable[Frame], limit: int = TEXT_LIMIT) -> Iterator[Frame]:
    """Pass frames on, cutting the middle out of text that is too long for a notebook."""
    text = TextLimit(limit)
    last: Frame | None = None
    for item in frames:
        if item["kind"] == "stream":
            last = item
            shown = text.take(item["text"])
            if shown:
                yield {**item, "text": shown}
            continue
        if item["kind"] in _LAST:
            yield from _rest(text, last)
        yield item
    yield from _rest(text, last)


def _rest(text: TextLimit, last: Frame | None) -> Iterator[Frame]:
    rest = text.end()
    if last is not None and rest:
        yield {**last, "text": rest}
