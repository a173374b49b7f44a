"""Content addresses that several threads can compute and check piece by piece.

A digest is the SHA-256 over the SHA-256 of each 16 MiB chunk, so that a part read in pieces is
checked as it arrives, and large parts use more than one core: hashing releases the GIL.
"""

from __future__ import annotations

import hashlib
from typing import Callable, List, Sequence

CHUNK = 16 << 20
#: Hashing and copying are bound by memory; more threads than this gain nothing.
THREADS = 4
#: Of large data so many blocks of so many bytes are looked at for a `sample`.
_BLOCKS, _BLOCK = 64, 4096


def chunks(size: int) -> "List[slice]":
    """Cut `size` bytes into slices of at most `CHUNK` bytes; no bytes are one empty slice."""
    return [slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK)] or [
        slice(0, 0)
    ]


def chunk_digest(view: "memoryview") -> bytes:
    return hashlib.sha256(view).digest()


def combine(pieces: Sequence[bytes]) -> str:
    """Join chunk digests, in order, into the hexadecimal digest of the whole."""
    return hashlib.sha256(b"".join(pieces)).hexdigest()


def digest(data: "memoryview | bytes | bytearray") -> str:
    """Return the content address of `data`, 64 hexadecimal digits."""
    view = memoryview(data).cast("B")
    return combine(in_threads(lambda piece: chunk_digest(view[piece]), chunks(view.nbytes)))


def sample(data: "memoryview | bytes | bytearray") -> str:
    """Return what tells most data apart at once, 32 hexadecimal digits: alike is not the same."""
    view = memoryview(data).cast("B")
    size = view.nbytes
    found = hashlib.sha256(size.to_bytes(8, "big"))
    for number in range(_BLOCKS):
        start = (size - _BLOCK) * number // (_BLOCKS - 1)
        found.update(view[max(0, start) : max(0, start) + _BLOCK])
    return found.hexdigest()[:32]


def in_threads(work: "Callable[[slice], bytes]", pieces: "Sequence[slice]") -> "List[bytes]":
    """Map `work` over `pieces`, on several threads where there is more than one piece."""
    if len(pieces) == 1:
        return [work(pieces[0])]
    # Loaded only for large data: a trivial job does not pay for it.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(THREADS, len(pieces))) as pool:
        return list(pool.map(work, pieces))
