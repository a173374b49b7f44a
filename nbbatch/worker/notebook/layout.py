"""Groups of text, each written on one line where it fits, and otherwise one item a line."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 79


class _Break:
    """A place where a line may end; without `text`, a place where it must."""

    def __init__(self, text: str | None, indent: int) -> None:
        self.text = text
        self.indent = indent


class _Group:
    def __init__(self) -> None:
        self.items: list[str | _Break | _Group] = []
        self.width = 0
        #: Breaks of its own, not those of groups inside it.
        self.breaks = 0
        self.forced = False


class Builder:
    """Takes the description of a value piece by piece.

    With `Printer.pretty`, its public methods are those that IPython hands to ``_repr_pretty_``.
    """

    def __init__(self, width: int = WIDTH) -> None:
        self.max_width = width
        self.indentation = 0
        self._groups = [_Group()]

    def text(self, text: str) -> None:
        """Add text that is written as it is."""
        self._groups[-1].items.append(text)
        self._groups[-1].width += len(text)

    def breakable(self, sep: str = " ") -> None:
        """Add `sep`, or a new line where the group does not fit."""
        group = self._groups[-1]
        group.items.append(_Break(sep, self.indentation))
        group.width += len(sep)
        group.breaks += 1

    def break_(self) -> None:
        """Add a new line."""
        self._groups[-1].items.append(_Break(None, self.indentation))
        self._groups[-1].forced = True

    def begin_group(self, indent: int = 0, open: str = "") -> None:
        """Begin a group, `open` first; lines inside it are `indent` further in."""
        if open:
            self.text(open)
        self._groups.append(_Group())
        self.indentation += indent

    def end_group(self, dedent: int = 0, close: str = "") -> None:
        """End the group, `close` last."""
        self.indentation -= dedent
        group = self._groups.pop()
        outer = self._groups[-1]
        outer.items.append(group)
        outer.width += group.width
        outer.forced = outer.forced or group.forced
        if close:
            self.text(close)

    @contextlib.contextmanager
    def group(self, indent: int = 0, open: str = "", close: str = "") -> Iterator[None]:
        """Do both, around a ``with`` block."""
        self.begin_group(indent, open)
        try:
            yield
        finally:
            self.end_group(indent, close)

    @contextlib.contextmanager
    def indent(self, indent: int) -> Iterator[None]:
        """Move lines further in, without a group."""
        self.indentation += indent
        try:
            yield
        finally:
            self.indentation -= indent

    def flush(self) -> None:
        """Do nothing: all is laid out at the end."""

    def finish(self) -> str:
        """Lay everything out."""
        while len(self._groups) > 1:
            self.end_group()
        return "".join(_Layout(self.max_width).lines(self._groups[0], 0))


class _Layout:
    def __init__(self, width: int) -> None:
        self._width = width
        self._column = 0

    def lines(self, group: _Group, after: int) -> Iterator[str]:
        """Yield the text of a group that is followed by `after` characters on its last line."""
        fits = not group.forced and self._column + group.width + after <= self._width
        following = _following(group.items, after) if not fits else [after] * len(group.items)
        for item, rest in zip(group.items, following):
            if isinstance(item, _Group):
                yield from self.lines(item, rest)
            elif isinstance(item, str):
                self._column += len(item)
                yield item
            elif fits and item.text is not None:
                self._column += len(item.text)
                yield item.text
            else:
                self._column = item.indent
                yield "\n" + " " * item.indent


def _following(items: list[Any], after: int) -> list[int]:
    """For each item, count the characters up to where the line can end next."""
    result, count = [], after
    for item in reversed(items):
        result.append(count)
        if isinstance(item, _Break):
            count = 0
        elif isinstance(item, str):
            count += len(item)
        else:
            count = _first(item, count)
    return result[::-1]


def _first(group: _Group, after: int) -> int:
    """Count the characters of a group up to its own first break."""
    if not group.breaks and not group.forced:
        return group.width + after
    count = 0
    for item in group.items:
        if isinstance(item, _Break):
            return count
        if isinstance(item, _Group) and (item.breaks or item.forced):
            return count + _first(item, 0)
        count += len(item) if isinstance(item, str) else item.width
    return count + after
