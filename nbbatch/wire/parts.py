"""Parts of an envelope to and from a store: small ones inline, large ones by content.

A large part is a blob named by its digest: sent once, shared by every job that has it, and
read in chunks that are checked as they arrive, straight into the memory where it will stay.
"""

from __future__ import annotations

import mmap
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from nbbatch.errors import NotFoundError
from nbbatch.wire import keys
from nbbatch.wire.digest import chunk_digest, chunks, combine, digest, in_threads
from nbbatch.wire.envelope import Envelope, Part, Stamp, broken, seal
from nbbatch.wire.store import Buffer, Store

#: From this size on a part is a blob: below, one more request costs more than the bytes.
BLOB = 1 << 20


def pack(
    store: Store,
    stamp: Stamp,
    meta: Dict[str, Any],
    buffers: Sequence[Buffer],
    known: "Set[str]",
    sent: "Optional[Set[str]]" = None,
) -> List[Buffer]:
    """Put the large buffers into the store and seal the rest into one object's pieces.

    Parameters
    ----------
    known
        Digests of blobs that are in the store for sure; those sent are added.
    sent
        Takes the digests of the blobs that were not there before.
    """
    parts, inline = split(buffers)
    for part, data in zip(parts, buffers):
        if part.blob and part.digest not in known:
            if _send(store, part, data) and sent is not None:
                sent.add(part.digest)
            known.add(part.digest)
    return seal(*stamp, meta, parts, inline)


def split(buffers: Sequence[Buffer]) -> "Tuple[List[Part], List[Buffer]]":
    """Describe `buffers` as parts; return the inline ones too."""
    sizes = [memoryview(data).nbytes for data in buffers]
    parts = [Part(n, digest(data), n >= BLOB) for n, data in zip(sizes, buffers)]
    return parts, [data for part, data in zip(parts, buffers) if not part.blob]


def _send(store: Store, part: Part, data: Buffer) -> bool:
    name = keys.blob(part.digest)
    return store.size(name) != part.size and store.put(name, [data])


def read(store: Store, envelope: Envelope, index: int) -> Buffer:
    """Read a part: a blob into new writable memory, an inline part as a copy.

    Raises
    ------
    SealError
        The bytes are not the ones that were sealed.
    NotFoundError
        The blob is gone.
    """
    part = envelope.parts[index]
    if not part.blob:
        return bytearray(envelope.inline(index))
    view = _memory(part.size)
    name = keys.blob(part.digest)

    def fetch(piece: slice) -> bytes:
        store.read_into(name, piece.start, view[piece])
        return chunk_digest(view[piece])

    try:
        found = combine(in_threads(fetch, chunks(part.size)))
    except FileNotFoundError:
        if store.size(name) is None:
            raise _gone(name, envelope.job) from None
        found = ""  # it is cut short
    if found != part.digest:
        raise broken(f"{name}, which job {envelope.job} refers to,")
    return view


def _memory(size: int) -> memoryview:
    """Return new writable memory; a bytearray fills itself with zeros first, which takes longer."""
    try:
        # Private, so that a process that the user's code forks has a copy of its own.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        return memoryview(mmap.mmap(-1, size, flags=flags))
    # No such flags on Windows; where there is no room, the bytearray says so as usual.
    except (AttributeError, OSError):
        return memoryview(bytearray(size))


def _gone(name: str, job: str) -> NotFoundError:
    return NotFoundError(
        f"{name}, which job {job} refers to, is gone",
        "it was deleted from the store",
        "restart the kernel, so that nothing is taken for sent, and run it again",
    )
