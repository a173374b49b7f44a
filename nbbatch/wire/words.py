"""Words of code by which one can tell what a library may need besides what it requires.

Names of attributes, `frame.read_excel`, and short texts, `engine="openpyxl"` or `"s3://..."`: what
libraries call extras is mostly one of these.
"""

from __future__ import annotations

import re
import types
from typing import Iterator

#: What addresses begin with, e.g. ``postgresql+psycopg2://``.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")
_PLAIN = re.compile(r"[a-zA-Z][\w.-]{1,30}")


def of_name(name: str) -> Iterator[str]:
    """Yield a name, and its parts: ``read_excel``, ``read``, ``excel``."""
    yield name
    yield from filter(None, name.split("_"))


def of_text(text: str) -> Iterator[str]:
    """Yield a text that is a word, or what an address begins with; of anything else nothing."""
    scheme = _SCHEME.match(text)
    if scheme:
        yield from scheme[1].split("+")
    elif _PLAIN.fullmatch(text):
        yield text


def of_code(code: types.CodeType) -> Iterator[str]:
    """Yield the words of a function's code, inner functions included."""
    for name in code.co_names:
        yield from of_name(name)
    for const in code.co_consts:
        if isinstance(const, str):
            yield from of_text(const)
        elif isinstance(const, types.CodeType):
            yield from of_code(const)
