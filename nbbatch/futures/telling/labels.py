"""The outputs of several nodes in one place: each says which node it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nbbatch.wire.frames import Frame, stream

#: The node by which Batch tells how the job is.
MAIN = 0
#: What ends a line, or one state of a progress bar.
_END = re.compile(r"(\r\n|\r|\n)")
#: Characters of a line after which its end is not waited for.
_LONGEST = 1 << 16
_PLAIN = "text/plain"


@dataclass
class Label:
    """Marks the outputs of one node, or of one child; unfinished lines wait for their end.

    The main node's `clear_output` clears what all have shown; the other nodes' is passed over.
    """

    node: int
    word: str = "node"

    def __post_init__(self) -> None:
        self._waiting: dict[str, str] = {}

    @property
    def text(self) -> str:
        """What stands before a line."""
        return f"[{self.word} {self.node}] "

    def mark(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield frames as they are to be shown."""
        for item in frames:
            kind = item["kind"]
            if kind == "stream":
                yield from self._lines(item)
                continue
            if kind in ("display", "error", "end", "clear"):
                yield from self.rest()
            if kind == "display":
                yield from self._display(item)
            elif kind == "result":
                yield from self._result(item)
            elif kind != "clear" or self.node == MAIN:
                yield item

    def rest(self) -> Iterator[Frame]:
        """Yield the lines whose ends have not come, and will not."""
        waiting, self._waiting = self._waiting, {}
        for name, text in waiting.items():
            if text:
                yield stream(name, f"{self.text}{text}\n")

    def _lines(self, item: Frame) -> Iterator[Frame]:
        text = self._waiting.get(item["name"], "") + item["text"]
        *parts, rest = _END.split(text)
        lines = [line + end for line, end in zip(parts[::2], parts[1::2], strict=True)]
        if len(rest) > _LONGEST:
            lines, rest = [*lines, rest + "\n"], ""
        self._waiting[item["name"]] = rest
        if lines:
            yield {**item, "text": "".join(self.text + line for line in lines)}

    def _display(self, item: Frame) -> Iterator[Frame]:
        id_ = item["display_id"]
        if not item["update"]:
            yield from self._heading(item["data"])
        # Two nodes may have chosen the same id for a display.
        own = f"{id_}#{self.node}" if id_ else id_
        yield {**item, "display_id": own, "data": self._marked(item["data"])}

    def _result(self, item: Frame) -> Iterator[Frame]:
        yield from self._heading(item["data"])
        yield {**item, "data": self._marked(item["data"])}

    def _heading(self, data: dict[str, Any]) -> Iterator[Frame]:
        """Say before what is more than text whose it is."""
        if set(data) - {_PLAIN}:
            yield stream("stdout", f"{self.text.rstrip()}:\n")

    def _marked(self, data: dict[str, Any]) -> dict[str, Any]:
        if set(data) != {_PLAIN}:
            return data
        text = data[_PLAIN]
        return {_PLAIN: self.text + (text if isinstance(text, str) else "".join(text))}


def labels(nodes: int) -> list[Label]:
    """Return what marks each node's outputs; nothing where there is but one."""
    return [Label(node) for node in range(nodes)] if nodes > 1 else []
