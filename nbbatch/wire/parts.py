"""Parts of an envelope to and from a store: small ones inline, large ones by content.

A large part is a blob. In most stores it is named by its digest: sent once, shared by every job
that has it, and read in chunks that are checked as they arrive, straight into the memory where it
will stay. A store that vouches for its objects saves both sides the digests: it compares what is
to be sent with what it has, and its voucher, under the seal, says what may be read.
"""

from __future__ import annotations

import contextlib
import mmap
from typing import Any, Dict, List, Optional, Protocol, Sequence, Set

from nbbatch.errors import NotFoundError, SealError
from nbbatch.wire import keys
from nbbatch.wire.digest import chunk_digest, chunks, combine, digest, in_threads, sample
from nbbatch.wire.envelope import Envelope, Part, Stamp, broken, seal
from nbbatch.wire.store import Buffer, ReadingStore, Store, vouching

#: From this size on a part is a blob: below, one more request costs more than the bytes.
BLOB = 1 << 20
#: From this size on a blob is used where it lies, if the store can lend it. Each holds a file
#: descriptor, of which a process may have no more than 1024.
LENT = 64 << 20


class Shared(Protocol):
    """Knows what several envelopes have in common."""

    def part(self, data: Buffer) -> Optional[Part]:
        """Return the part that was made of these very bytes, as long as they are as they were."""

    def made(self, data: Buffer, part: Part) -> None:
        """Take the blob that was made of some bytes."""

    def again(self, part: Part) -> bool:
        """Tell whether a part has travelled before, inline: it is to be a blob now."""


def pack(  # noqa: PLR0913 all of one envelope
    store: Store,
    stamp: Stamp,
    meta: Dict[str, Any],
    buffers: Sequence[Buffer],
    known: "Set[str]",
    sent: "Optional[Set[str]]" = None,
    *,
    large: int = BLOB,
    shared: Optional[Shared] = None,
) -> List[Buffer]:
    """Put the large buffers into the store and seal the rest into one object's pieces.

    Parameters
    ----------
    known
        Digests of blobs that are in the store for sure; those sent are added.
    sent
        Takes the names of the blobs that were not there before.
    large
        From which size on a buffer is a blob.
    shared
        What is known of buffers that come more than once.
    """
    sent = set() if sent is None else sent
    parts = []
    for data in buffers:
        part = shared.part(data) if shared else None
        if part is None:
            part = _place(store, data, known, sent, large, shared)
        parts.append(part)
    sure = vouching(store)
    if sure and any(part.voucher for part in parts):
        sure.settle()
    return seal(*stamp, meta, parts, [b for part, b in zip(parts, buffers) if not part.blob])


def describe(store: Store, buffers: Sequence[Buffer]) -> List[Part]:
    """Return as which parts `buffers` would travel, as far as that can be told beforehand."""
    return [_described(store, data) for data in buffers]


def _described(store: Store, data: Buffer) -> Part:
    size = memoryview(data).nbytes
    if size >= BLOB and vouching(store):
        return Part(size, f"{sample(data)}/*", blob=True)
    return Part(size, digest(data), size >= BLOB)


def _place(
    store: Store,
    data: Buffer,
    known: "Set[str]",
    sent: "Set[str]",
    large: int,
    shared: Optional[Shared],
) -> Part:
    size = memoryview(data).nbytes
    if size < large:
        part = Part(size, digest(data))
        if shared is None or not shared.again(part):
            return part
    sure = vouching(store)
    kept = sure.keep(keys.blob(sample(data)), data) if sure else None
    if kept is not None:
        name = keys.blob_name(kept.key)
        part, new = Part(size, name, blob=True, voucher=kept.voucher), kept.new
    else:
        part = Part(size, digest(data), blob=True)
        new = part.digest not in known and _send(store, part, data)
        known.add(part.digest)
    if new:
        sent.add(part.digest)
    if shared is not None:
        shared.made(data, part)
    return part


def _send(store: Store, part: Part, data: Buffer) -> bool:
    name = keys.blob(part.digest)
    # One that is old may be about to be taken away, and is written anew.
    return not store.reliable(name, part.size) and store.put(name, [data])


def read(store: ReadingStore, envelope: Envelope, index: int, *, lent: bool = False) -> Buffer:
    """Read a part: a blob into new writable memory, an inline part as a copy.

    Parameters
    ----------
    lent
        Whether a large blob may be used where it lies. Not for what is to be unpickled: whoever
        may write to the store's own files could still alter it.

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
    name = keys.blob(part.digest)
    if part.voucher:
        return _vouched(store, part, name, envelope.job, lent=lent and part.size >= LENT)
    view = memory(part.size)
    fetch(store, part, view, envelope.job)
    return view


def fetch(store: ReadingStore, part: Part, view: memoryview, job: str) -> None:
    """Read a blob that has a digest into memory of its size, and check it; see `read`."""
    name = keys.blob(part.digest)

    def fill(piece: slice) -> bytes:
        store.read_into(name, piece.start, view[piece])
        return chunk_digest(view[piece])

    try:
        found = combine(in_threads(fill, chunks(part.size)))
    except FileNotFoundError:
        if store.size(name) is None:
            raise _gone(name, job) from None
        found = ""  # it is cut short
    if found != part.digest:
        raise broken(f"{name}, which job {job} refers to,")


def holds(store: ReadingStore, part: Part, data: Buffer) -> bool:
    """Tell whether `data` has the bytes of a blob that was read."""
    if not part.voucher:
        return digest(data) == part.digest
    sure = vouching(store)
    return sure is not None and sure.holds(keys.blob(part.digest), part.voucher, data)


def _vouched(store: ReadingStore, part: Part, name: str, job: str, *, lent: bool) -> Buffer:
    sure = vouching(store)
    if sure is None:
        raise _altered(name, job)
    view: Optional[memoryview] = None
    try:
        if lent:
            # Where the machine has no more room for mappings, it has some for a copy, or says so.
            with contextlib.suppress(OSError):
                view = sure.lend(name, part.voucher, part.size)
        if view is None:
            view = memory(part.size)
            if not sure.take(name, part.voucher, view):
                raise _altered(name, job)
    except FileNotFoundError:
        raise _gone(name, job) from None
    return view


def memory(size: int) -> memoryview:
    """Return new writable memory; a bytearray fills itself with zeros first, which takes longer."""
    try:
        # Private, so that a process that the user's code forks has a copy of its own.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        return memoryview(mmap.mmap(-1, size, flags=flags))
    # No such flags on Windows; where there is no room, the bytearray says so as usual.
    except (AttributeError, OSError):
        return memoryview(bytearray(size))


def _altered(name: str, job: str) -> SealError:
    return SealError(
        f"{name}, which job {job} refers to, is refused",
        "its file is not as it was written: it was changed, replaced, copied back, or given "
        "another mode or owner",
        "run the job again; if this repeats, find out what else works on the store's files",
    )


def _gone(name: str, job: str) -> NotFoundError:
    return NotFoundError(
        f"{name}, which job {job} refers to, is gone",
        "it was deleted from the store",
        "restart the kernel, so that nothing is taken for sent, and run it again",
    )
