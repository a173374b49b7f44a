"""How many items a child gets, and the items in such portions, of which none is held for long."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

__all__ = ["Chunksize", "chunked"]

#: Items of a child; ``"auto"`` is as many as are worth one, as far as that is known, else one, and
#: more where there are very many items.
Chunksize = int | Literal["auto"]

#: Children for each that can run at a time: so many that a slow item holds up few others.
_EACH = 16
#: Children where it is not known how many can run at a time.
_MANY = 1000
#: Children that there are at least, however little the items are, where nobody knows that: they may
#: take longer than they did.
_FEWEST = 32
#: Items of a child where there are more than children, and nobody knows how many more.
_UNKNOWN = 100

Items = Iterator[tuple[int, Any]]


def chunked(
    items: Items,
    count: int | None,
    chunksize: Chunksize,
    at_once: int | None,
    enough: int | None = None,
) -> tuple[int, Iterator[list[tuple[int, Any]]]]:
    """Return how many items a child gets, and the items in such portions, as they come.

    Parameters
    ----------
    count
        How many there are, if that is known.
    at_once
        How many children can run at a time, if that is known.
    enough
        How many items are work enough for a child, if that is known.
    """
    if chunksize != "auto":
        return chunksize, _portions(items, chunksize)
    most = _MANY if at_once is None else _EACH * at_once
    if count is None:
        first = list(itertools.islice(items, most + 1))
        count = len(first) if len(first) <= most else None
        items = itertools.chain(_given_away(first), items)
    if enough is not None:
        size = min(enough, _shared(count, at_once))
    elif count is None:
        size = _UNKNOWN
    else:
        size = max(1, -(-count // most))
    return size, _portions(items, size)


def _shared(count: int | None, at_once: int | None) -> int:
    """Return the most items of a child where as many as can shall run side by side."""
    if count is None:
        return _UNKNOWN
    return max(1, -(-count // (at_once or _FEWEST)))


def _portions(items: Items, chunksize: int) -> Iterator[list[tuple[int, Any]]]:
    # No frame of ours holds a portion while the next one is read.
    return iter(lambda: list(itertools.islice(items, chunksize)), [])


def _given_away(items: list[tuple[int, Any]]) -> Items:
    """Yield items without holding those that were taken."""
    items.reverse()
    while items:
        yield items.pop()
