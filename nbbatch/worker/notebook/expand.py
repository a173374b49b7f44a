"""Python values in the text of a command: ``{expression}`` and ``$name``."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: ``$name`` or ``$$name``, but not inside single quotes.
_DOLLAR = re.compile(r"\$(?P<name>\$?[\w.]+)(?=(?:[^']*'[^']*')*[^']*$)")


def expand(text: str, namespace: dict[str, Any]) -> str:
    """Replace ``{expression}`` and ``$name`` by their values; ``{{`` and ``$$`` escape.

    Where any of them can't be evaluated, the whole text stays as it is, as in IPython: it is then
    the shell's own ``$HOME`` or ``{a,b}``.
    """
    if "{" not in text and "}" not in text and "$" not in text:
        return text
    try:
        return "".join(_pieces(text, namespace))
    # An expression may raise anything.
    except Exception:
        return text


def _pieces(text: str, namespace: dict[str, Any]) -> Iterator[str]:
    for literal, field, spec, conversion in string.Formatter().parse(text):
        for constant, name in _dollars(literal):
            yield constant
            if name:
                yield format(eval(name, namespace))
        if field is not None:
            # A colon is a slice's or a dict's here, not that of a format.
            value = eval(f"{field}:{spec}" if spec else field, namespace)
            yield format(string.Formatter().convert_field(value, conversion))


def _dollars(literal: str) -> Iterator[tuple[str, str]]:
    """Cut into (text, name after it)."""
    done, kept = 0, ""
    for match in _DOLLAR.finditer(literal):
        kept += literal[done : match.start()]
        done = match.end()
        if match["name"].startswith("$"):
            kept += match["name"]
            continue
        yield kept, match["name"]
        kept = ""
    yield kept + literal[done:], ""
