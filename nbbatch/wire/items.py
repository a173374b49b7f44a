"""What the children of an array get, in one object: each reads its own range, and no more.

Layout, integers big-endian::

    for each child: offset, size    8 bytes each
    sealed objects                  back to back, one for each child

Each is sealed as its child's, so whoever moves the ranges about is noticed. What a child gets is a
graph of items, of which large buffers are blobs: one that several children get is there once.
"""

from __future__ import annotations

import struct
from typing import Any, Dict, List, NamedTuple, Sequence, Set

from nbbatch.errors import NotFoundError
from nbbatch.wire import keys, parts, spec
from nbbatch.wire.envelope import Envelope, Stamp, unseal
from nbbatch.wire.store import Buffer, ReadingStore, Store

_RANGE = struct.Struct(">QQ")


class Portion(NamedTuple):
    """What one child gets: header and buffers."""

    meta: Dict[str, Any]
    buffers: Sequence[Buffer]


def sealed(
    store: Store, stamp: Stamp, portion: Portion, known: "Set[str]", sent: "Set[str]"
) -> List[Buffer]:
    """Put a child's large buffers into the store and return its object; see `parts.pack`."""
    return parts.pack(store, stamp, portion.meta, portion.buffers, known, sent)


def stamp(key: bytes, job: str, child: int) -> Stamp:
    """Return with what the object of one child is sealed."""
    return Stamp(key, spec.ITEMS, keys.owner(job, child))


def table(sizes: Sequence[int]) -> bytes:
    """Return what stands before the objects of all children, being of these sizes."""
    offset, ranges = _RANGE.size * len(sizes), []
    for size in sizes:
        ranges.append(_RANGE.pack(offset, size))
        offset += size
    return b"".join(ranges)


def read(store: ReadingStore, key: bytes, job: str, child: int) -> Envelope:
    """Read what one child gets, and check its seal.

    Raises
    ------
    NotFoundError
        The object is gone, or cut short.
    SealError
        It was altered.
    """
    name = keys.items(job)
    try:
        where = bytearray(_RANGE.size)
        store.read_into(name, _RANGE.size * child, memoryview(where))
        offset, size = _RANGE.unpack(where)
        data = bytearray(size)
        store.read_into(name, offset, memoryview(data))
    except FileNotFoundError:
        raise NotFoundError(
            f"child {child} of job {job} has no items",
            f"{name} is not in the store, or is cut short",
            "run it again",
        ) from None
    return unseal(data, key, spec.ITEMS, keys.owner(job, child))
