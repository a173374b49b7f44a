"""Blobs that call after call needs: fetched and checked once, each call gets its own view."""

from __future__ import annotations

import mmap
import os
from typing import Dict, Optional, Tuple

from nbbatch.wire import parts
from nbbatch.wire.envelope import Envelope, Part
from nbbatch.wire.store import Buffer, ReadingStore
from nbbatch.worker.sampling.cgroups import Cgroup

#: The share of the memory that is kept for calls to come: what a call itself reads of it costs no
#: memory once more, for as long as it does not write there.
_SHARE = 0.5
#: Each holds a file descriptor, of which a process may have no more than 1024.
_MOST = 256


class Shelf:
    """Keeps what was read, the latest used, in files that are nowhere but in memory.

    What a call changes in its view nobody else sees. Where the system has no such files nothing is
    kept; of a store that vouches for its objects neither: it has them on this machine.
    """

    def __init__(self, room: Optional[int] = None) -> None:
        self._room = _room() if room is None else room
        #: File descriptor and size by digest, the latest used last.
        self._kept: Dict[str, Tuple[int, int]] = {}

    def read(
        self, store: ReadingStore, envelope: Envelope, index: int, *, lent: bool = False
    ) -> Buffer:
        """Read a part; see `nbbatch.wire.parts.read`."""
        part = envelope.parts[index]
        if not part.blob or part.voucher or not 0 < part.size <= self._room:
            return parts.read(store, envelope, index, lent=lent)
        kept = self._kept.pop(part.digest) if part.digest in self._kept else None
        file, size = kept or self._fetched(store, part, envelope.job)
        if file < 0:
            return parts.read(store, envelope, index, lent=lent)
        self._kept[part.digest] = file, size
        if size >= parts.LENT:
            return _view(file, size, mmap.MAP_PRIVATE)
        copy = parts.memory(size)
        os.preadv(file, [copy], 0)
        return copy

    def _fetched(self, store: ReadingStore, part: Part, job: str) -> Tuple[int, int]:
        self._make_room(part.size)
        file = _file()
        if file >= 0:
            try:
                os.ftruncate(file, part.size)
                parts.fetch(store, part, _view(file, part.size, mmap.MAP_SHARED), job)
            except BaseException:
                os.close(file)
                raise
        return file, part.size

    def _make_room(self, size: int) -> None:
        while self._kept and (
            sum(kept for _, kept in self._kept.values()) + size > self._room
            or len(self._kept) >= _MOST
        ):
            file, _ = self._kept.pop(next(iter(self._kept)))
            # Views that a call still has stay as they are.
            os.close(file)


def _file() -> int:
    try:
        return os.memfd_create("nbbatch")
    # Another system than Linux, or one that forbids it.
    except (AttributeError, OSError):
        return -1


def _view(file: int, size: int, flags: int) -> memoryview:
    return memoryview(mmap.mmap(file, size, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE))


def _room() -> int:
    limit = Cgroup().memory_limit()
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        whole = 0
    return int(_SHARE * (min(limit, whole) if limit else whole))
