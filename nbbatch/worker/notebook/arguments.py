"""A magic's own options, at the start of its line; the rest is left as it was written."""

from __future__ import annotations

import re

from nbbatch.errors import UsageError

_SHORT = re.compile(r"\s*-([A-Za-z])")
_VALUE = re.compile(r"\s*(\S+)")
_REST = re.compile(r"(?=\s|$)")


def short(line: str, flags: str) -> tuple[dict[str, str], str]:
    """Take one-letter options, as `getopt` names them: ``"n:q"`` is ``-n VALUE`` and ``-q``.

    A ``-x`` that is not among `flags` begins the rest: it may be a Python expression.
    """
    found: dict[str, str] = {}
    while True:
        match = _SHORT.match(line)
        if match is None or match[1] not in flags:
            return found, line.strip()
        letter, line = match[1], line[match.end() :]
        if f"{letter}:" in flags:
            value = _VALUE.match(line)
            found[letter] = value[1] if value else ""
            line = line[value.end() :] if value else ""
        else:
            found[letter] = ""
            # Letters may be joined: -qo.
            line = line if _REST.match(line) else "-" + line


def long(words: list[str], flags: dict[str, bool]) -> tuple[dict[str, str], list[str]]:
    """Take ``--name`` and ``--name VALUE`` options; `flags` tells which ones take a value.

    Raises
    ------
    UsageError
        An option that the magic does not have, or one without its value.
    """
    found: dict[str, str] = {}
    left = list(words)
    while left and left[0].startswith("--"):
        name, given, value = left.pop(0).partition("=")
        if name not in flags:
            raise UsageError(
                f"the magic has no option {name} here", "unknown name", "one of " + ", ".join(flags)
            )
        if flags[name] and not given:
            if not left:
                raise UsageError(f"the option {name} has no value", "the line ends after it")
            value = left.pop(0)
        found[name] = value
    return found, left
