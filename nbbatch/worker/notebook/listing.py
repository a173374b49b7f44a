"""The list of lines that ``x = !command`` gives, with IPython's ways to take it apart."""

from __future__ import annotations

import re
from typing import Any, Callable


class SList(list[str]):
    """Lines of output: a list, and ``.n`` (one text), ``.s`` (words), ``.p`` (paths)."""

    @property
    def nlstr(self) -> str:
        """The lines as one text."""
        return "\n".join(self)

    n = nlstr

    @property
    def spstr(self) -> str:
        """The lines, separated by spaces."""
        return " ".join(self)

    s = spstr

    @property
    def paths(self) -> Any:
        """The lines that are paths of what exists."""
        from pathlib import Path

        return [Path(line) for line in self if Path(line).exists()]

    p = paths

    def grep(
        self,
        pattern: str | Callable[[str], Any],
        prune: bool = False,
        field: int | None = None,
    ) -> SList:
        """Keep the lines (or drop, with `prune`) where `pattern` is found, or that it accepts.

        `field` looks at one word of each line only.
        """
        found = (
            pattern if callable(pattern) else lambda text: re.search(pattern, text, re.IGNORECASE)
        )
        return SList(line for line in self if bool(found(_field(line, field))) is not prune)

    def fields(self, *fields: int) -> Any:
        """Return the words of each line, all of them or those numbered, joined by a space."""
        if not fields:
            return [line.split() for line in self]
        rows = [line.split() for line in self]
        kept = [[row[i] for i in fields if -len(row) <= i < len(row)] for row in rows]
        return SList(" ".join(row) for row in kept if row)

    def sort(  # type: ignore[override]
        self, field: int | None = None, nums: bool = False
    ) -> SList:
        """Return the lines sorted, by one word, as numbers with `nums`."""
        key = _number if nums else str
        return SList(sorted(self, key=lambda line: key(_field(line, field))))


# Assigned here: within the class the names would shadow those of builtins.
SList.list = SList.l = property(lambda self: self)  # type: ignore[attr-defined]


def _field(line: str, number: int | None) -> str:
    if number is None:
        return line
    words = line.split()
    return words[number] if -len(words) <= number < len(words) else ""


def _number(text: str) -> int:
    digits = re.sub(r"\D", "", text)
    return int(digits) if digits else 0
