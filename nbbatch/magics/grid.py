"""``--for NAME=VALUES``: the axes of a sweep, and the points of their grid."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbbatch.errors import LimitError, OptionError

__all__ = ["Axis", "parameters", "points", "without_axes"]

#: Names, and the expression for their values.
Axis = tuple[tuple[str, ...], str]

#: Points that one sweep may have; more are hardly meant.
MOST = 1_000_000
_EXAMPLE = "--for lr=[0.1, 0.01], or --for a,b=zip(xs, ys)"
#: A text in quotes, a bracket, the beginning of a flag, a comment, or any other character.
_PIECE = re.compile(
    r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?<!\S)--[a-z][\w-]*=?|(?<!\S)\#.*|.""", re.DOTALL
)
_AXIS = re.compile(r"\s*([^\W\d]\w*(?:\s*,\s*[^\W\d]\w*)*)\s*=(?!=)\s*(.+?)\s*", re.DOTALL)


def without_axes(line: str) -> tuple[str, tuple[Axis, ...]]:
    """Take the axes out of a line: their values are Python, and quotes and blanks belong to it.

    Raises
    ------
    OptionError
        One is no name with values.
    """
    rest: list[str] = []
    texts: list[list[str]] = []
    current, depth = rest, 0
    for piece in _PIECE.findall(line):
        if not depth and piece.startswith("--"):
            current = rest
            if piece in ("--for", "--for="):
                current = []
                texts.append(current)
                continue
        elif not depth and piece.startswith("#"):
            current = rest
        elif current is not rest:
            depth += (piece in "([{") - (piece in ")]}")
        current.append(piece)
    axes = tuple(_axis("".join(text)) for text in texts)
    names = parameters(axes)
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"--for {name} is given twice", "it is one parameter", "keep one")
    return "".join(rest), axes


def parameters(axes: Sequence[Axis]) -> list[str]:
    """Return the names of all parameters."""
    return [name for names, _ in axes for name in names]


def _axis(text: str) -> Axis:
    found = _AXIS.fullmatch(text)
    if found is None:
        raise OptionError(
            f"--for {text.strip()} can't be used", "it takes a name and its values", _EXAMPLE
        )
    return tuple(name.strip() for name in found[1].split(",")), found[2]


def points(axes: Sequence[Axis], namespace: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of each point; the last axis varies fastest.

    Raises
    ------
    OptionError
        Values can't be had from an expression, or do not fit the names.
    LimitError
        There are too many points.
    """
    values: list[list[list[tuple[str, Any]]]] = []
    size = 1
    for axis in axes:
        found = _values(axis, namespace)
        size *= len(found)
        if size > MOST:
            raise LimitError(
                "the sweep is too large",
                f"it would have {size:,} points or more, and may have {MOST:,}",
                "fewer values; or f.map(..., chunksize=1000), where a point takes no time",
            )
        values.append(_named(axis, found))
    return [dict(itertools.chain(*point)) for point in itertools.product(*values)]


def _values(axis: Axis, namespace: Mapping[str, Any]) -> list[Any]:
    text = axis[1]
    try:
        # What the person has written, in their own notebook.
        return list(itertools.islice(iter(eval(text, dict(namespace))), MOST + 1))
    except Exception as error:
        raise OptionError(
            f"{_said(axis)} can't be used", f"{type(error).__name__}: {error}", _EXAMPLE
        ) from error


def _named(axis: Axis, found: list[Any]) -> list[list[tuple[str, Any]]]:
    names = axis[0]
    if len(names) == 1:
        return [[(names[0], value)] for value in found]
    try:
        return [list(zip(names, value, strict=True)) for value in found]
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"{_said(axis)} can't be used", f"each value must be {len(names)}: {error}", _EXAMPLE
        ) from error


def _said(axis: Axis) -> str:
    return f"--for {','.join(axis[0])}={axis[1]}"
