"""Several buffers seen as one run of bytes, without joining them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbbatch.wire.store import Buffer


def as_views(pieces: Sequence[Buffer]) -> list[memoryview]:
    """View `pieces` as bytes; empty ones are left out, as they can't be cast."""
    views = (memoryview(piece) for piece in pieces)
    return [view.cast("B") for view in views if view.nbytes]


def total(views: Sequence[memoryview]) -> int:
    """Return the number of bytes in `views`."""
    return sum(view.nbytes for view in views)


def cut(views: Sequence[memoryview], start: int, stop: int) -> Iterator[memoryview]:
    """Yield the views that make up the bytes from `start` to `stop` of the whole."""
    at = 0
    for view in views:
        if at >= stop:
            return
        begin, end = max(start - at, 0), min(stop - at, view.nbytes)
        if begin < end:
            yield view[begin:end]
        at += view.nbytes
