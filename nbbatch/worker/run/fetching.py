"""Pieces of libraries on their way from the store to the disk: loaded, checked, unpacked.

Loading waits for the network; unpacking is work, of which more at a time than there are cores only
gets in its own way. So each has threads of its own, and what is loaded waits in memory, within
bounds.
"""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import BoundedSemaphore, Lock
from typing import Any, Dict, List, Sequence, Tuple

from nbbatch import errors
from nbbatch.wire import layers
from nbbatch.wire.layers import Layer, Piece, unpack
from nbbatch.wire.store import Store

__all__ = ["Heed", "fetch", "late", "load", "unpack"]

_LOADING = 8
#: Connections on which is asked whether what comes last is there.
_ASKING = 3
#: Pieces in memory, of about 3 MB each, or 8 where they don't compress.
_WAITING = 12

#: A layer, and the folder that it goes into.
Missing = Tuple[Layer, str]


class Heed:
    """Told how far it is, from any thread; takes no notice of it."""

    def there(self) -> None:
        """Take note: nothing of it is missing."""

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
    loading, asking = ThreadPoolExecutor(_LOADING), ThreadPoolExecutor(_ASKING)
    try:
        coming = [
            loading.submit(unpacking.take, store, layer, piece, to) for layer, piece, to in pieces
        ]
        if heed is not _NOBODY:
            _look(store, [piece for _, piece, _ in pieces], coming, asking)
            heed.there()
        for each in coming:
            each.result().result()
    finally:
        # In this order: what loads may wait for what is unpacked.
        asking.shutdown(cancel_futures=True)
        loading.shutdown(cancel_futures=True)
        unpacking.end()


def _look(
    store: Store,
    pieces: Sequence[Piece],
    coming: "Sequence[Future[Future[None]]]",
    pool: ThreadPoolExecutor,
) -> None:
    """Return once every piece has come, or is known to be there: whichever is known first."""

    def ask(number: int) -> None:
        if not coming[number].done() and store.size(layers.key(pieces[number].digest)) is None:
            raise _gone(pieces[number])

    # From the end: by then the first ones have come.
    asked = [pool.submit(ask, number) for number in reversed(range(len(pieces)))]
    for each, answer in zip(coming, reversed(asked)):
        both: List[Future[Any]] = [each, answer]
        for first in wait(both, return_when=FIRST_COMPLETED).done:
            first.result()


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
    data = store.get(layers.key(piece.digest))
    if data is None:
        raise _gone(piece)
    try:
        layers.check(data, piece)
    except ValueError as error:
        raise errors.SealError(
            "the job's libraries are refused unread",
            str(error),
            "find out who else writes to the store, remove that object and run it again",
        ) from None
    return data


def _gone(piece: Piece) -> errors.NotFoundError:
    return errors.NotFoundError(
        f"{layers.key(piece.digest)}, a part of the job's libraries, is gone",
        "it was deleted from the store",
        "run it again: it is sent anew then",
    )


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
