"""Pieces of libraries on their way from the store to the disk: loaded, checked, unpacked.

Loading waits for the network; unpacking is work, of which more at a time than there are cores only
gets in its own way. So each has threads of its own, and what is loaded waits in memory, within
bounds.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore, Lock
from typing import Dict, List, Sequence, Tuple

from nbbatch import errors
from nbbatch.wire import layers
from nbbatch.wire.layers import Layer, Piece, unpack
from nbbatch.wire.store import Store

__all__ = ["Heed", "fetch", "late", "load", "unpack"]

_LOADING = 8
#: Pieces in memory, of about 3 MB each, or 8 where they don't compress.
_WAITING = 32

#: A layer, and the folder that it goes into.
Missing = Tuple[Layer, str]


class Heed:
    """Told how far it is, from any thread; takes no notice of it."""

    def loaded(self) -> None:
        """Take note: all has come, and is what was sealed."""

    def unpacked(self, layer: Layer) -> None:
        """Take note: a layer is on the disk."""


_NOBODY = Heed()


def fetch(
    store: Store, missing: Sequence[Missing], heed: Heed = _NOBODY, *, late: bool = True
) -> None:
    """Fetch layers, each into its folder; those that come first are unpacked first.

    Parameters
    ----------
    late
        Whether to fetch what may come late, too.

    Raises
    ------
    NbbatchError
        A piece is gone, or not what was sealed.
    """
    pieces = [(layer, p, to) for layer, to in missing for p in layer.pieces if late or not p.late]
    unpacking = _Unpacking(missing, pieces, heed)
    loading = ThreadPoolExecutor(_LOADING)
    try:
        coming = [
            loading.submit(unpacking.take, store, layer, piece, to) for layer, piece, to in pieces
        ]
        done = [each.result() for each in coming]
        heed.loaded()
        for each in done:
            each.result()
    finally:
        # In this order: what loads may wait for what is unpacked.
        loading.shutdown(cancel_futures=True)
        unpacking.end()


class _Unpacking:
    def __init__(
        self, missing: Sequence[Missing], pieces: Sequence[Tuple[Layer, Piece, str]], heed: Heed
    ) -> None:
        self._pool = ThreadPoolExecutor(_cores())
        self._room = BoundedSemaphore(_WAITING)
        self._heed = heed
        self._lock = Lock()
        self._left: Dict[str, int] = {layer.digest: 0 for layer, _ in missing}
        for layer, _, _ in pieces:
            self._left[layer.digest] += 1
        for layer, _ in missing:
            if not self._left[layer.digest]:
                heed.unpacked(layer)

    def take(self, store: Store, layer: Layer, piece: Piece, folder: str) -> "Future[None]":
        """Load a piece, and have it unpacked."""
        self._room.acquire()
        try:
            data = load(store, piece)
            return self._pool.submit(self._unpack, layer, data, folder)
        except BaseException:
            self._room.release()
            raise

    def end(self) -> None:
        """Leave what has not begun."""
        self._pool.shutdown(cancel_futures=True)

    def _unpack(self, layer: Layer, data: bytes, folder: str) -> None:
        try:
            unpack(data, folder)
        finally:
            self._room.release()
        with self._lock:
            self._left[layer.digest] -= 1
            whole = not self._left[layer.digest]
        if whole:
            self._heed.unpacked(layer)


def load(store: Store, piece: Piece) -> bytes:
    """Return a piece that was checked.

    Raises
    ------
    NbbatchError
        It is gone, or not what was sealed.
    """
    name = layers.key(piece.digest)
    data = store.get(name)
    if data is None:
        raise errors.NotFoundError(
            f"{name}, a part of the job's libraries, is gone",
            "it was deleted from the store",
            "run it again: it is sent anew then",
        )
    try:
        layers.check(data, piece)
    except ValueError as error:
        raise errors.SealError(
            "the job's libraries are refused unread",
            str(error),
            "find out who else writes to the store, remove that object and run it again",
        ) from None
    return data


def late(wanted: Sequence[Layer]) -> List[Piece]:
    """Return what may come late."""
    return [piece for layer in wanted for piece in layer.pieces if piece.late]


def _cores() -> int:
    """Return how many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    # Not everywhere.
    except AttributeError:
        return os.cpu_count() or 1
