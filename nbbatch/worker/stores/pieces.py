"""Several buffers seen as one run of bytes, without joining them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nbbatch.wire import digest
from nbbatch.wire.store import RELIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbbatch.wire.store import Buffer, ReadingStore


def as_views(pieces: Sequence[Buffer]) -> list[memoryview]:
    """View `pieces` as bytes; empty ones are left out, as they can't be cast."""
    views = (memoryview(piece) for piece in pieces)
    return [view.cast("B") for view in views if view.nbytes]


def young(written: float, now: float | None = None) -> bool:
    """Tell whether what was written at a time is sure to stay for now; see `store.RELIABLE`."""
    return (time.time() if now is None else now) - written < RELIABLE


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


def holds(store: ReadingStore, key: str, views: Sequence[memoryview]) -> bool:
    """Tell whether an object has these very bytes."""
    size = total(views)
    if store.size(key) != size:
        return False
    for piece in digest.chunks(size):
        found = memoryview(bytearray(piece.stop - piece.start))
        store.read_into(key, piece.start, found)
        at = 0
        for view in cut(views, piece.start, piece.stop):
            if found[at : at + view.nbytes] != view:
                return False
            at += view.nbytes
    return True
