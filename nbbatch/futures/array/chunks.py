"""How many items a child gets, and the items in such portions, of which none is held for long."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

__all__ = ["Chunksize", "chunked"]

#: Items of a child; ``"auto"`` is one, and more where there are very many items.
Chunksize = int | Literal["auto"]

#: Children for each that can run at a time: so many that a slow item holds up few others.
_EACH = 16
#: Children where it is not known how many can run at a time.
_MANY = 1000
#: Items of a child where there are more than children, and nobody knows how many more.
_UNKNOWN = 100

Items = Iterator[tuple[int, Any]]


def chunked(
    items: Items, count: int | None, chunksize: Chunksize, at_once: int | None
) -> tuple[int, Iterator[list[tuple[int, Any]]]]:
    """Return how many items a child gets, and the items in such portions, as they come.

    Parameters
    ----------
    count
        How many there are, if that is known.
    at_once
        How many children can run at a time, if that is known.
    """
    size = chunksize if chunksize != "auto" else 1
    if chunksize == "auto":
        most = _MANY if at_once is None else _EACH * at_once
        if count is None:
            first = list(itertools.islice(items, most + 1))
            items = itertools.chain(_given_away(first), items)
            size = 1 if len(first) <= most else _UNKNOWN
        else:
            size = max(1, -(-count // most))
    return size, _portions(items, size)


def _portions(items: Items, chunksize: int) -> Iterator[list[tuple[int, Any]]]:
    # No frame of ours holds a portion while the next one is read.
    return iter(lambda: list(itertools.islice(items, chunksize)), [])


def _given_away(items: list[tuple[int, Any]]) -> Items:
    """Yield items without holding those that were taken."""
    items.reverse()
    while items:
        yield items.pop()
