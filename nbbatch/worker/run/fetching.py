"""Pieces of libraries on their way from the store to the disk: loaded, checked, unpacked.

Loading waits for the network; unpacking is work, of which more at a time than there are cores only
gets in its own way. So each has threads of its own, and what is loaded waits in memory, within
bounds.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from threading import BoundedSemaphore, Event, Lock
from typing import Dict, FrozenSet, List, Optional, Sequence, Tuple, cast

from nbbatch import errors
from nbbatch.wire import layers
from nbbatch.wire.layers import Layer, Piece, unpack
from nbbatch.wire.store import ListingStore, Store

__all__ = ["Heed", "Order", "fetch", "load"]

_LOADING = 8
#: Connections on which is asked whether what comes last is there.
_ASKING = 3
#: The most names of pieces that are asked for at once.
_LISTED = 2000
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


class _Load:
    """A piece on its way into a folder; `came` and `done` are set when it is here, and unpacked."""

    def __init__(self, layer: Layer, piece: Piece, folder: str) -> None:
        self.layer, self.piece, self.folder = layer, piece, folder
        self.data = b""
        self.came: "Future[None]" = Future()
        self.done: "Future[None]" = Future()


class Order:
    """Which piece comes next: the first, until some libraries are preferred."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: Dict[str, int] = {}
        self._wanted: Dict[str, Event] = {}

    def wanted(self, name: str) -> Event:
        """Return what is set once a library is preferred."""
        with self._lock:
            return self._wanted.setdefault(name, Event())

    def prefer(self, names: Sequence[str]) -> None:
        """From now on these come before all others, in this order."""
        with self._lock:
            first = min(self._places.values(), default=0) - len(names)
            self._places.update(zip(names, range(first, first + len(names))))
        for name in names:
            self.wanted(name).set()

    def take(self, waiting: List[_Load]) -> _Load:
        """Take what comes next out of a list."""
        with self._lock:
            found = min(waiting, key=lambda load: self._places.get(load.layer.name, 0))
            waiting.remove(found)
            return found


def fetch(
    store: Store,
    missing: Sequence[Missing],
    heed: Heed = _NOBODY,
    *,
    late: Optional[bool] = None,
    order: Optional[Order] = None,
) -> None:
    """Fetch layers, each into its folder; those that come first are unpacked first.

    Parameters
    ----------
    late
        Whether to fetch what may come late, or the rest; both if not given.
    order
        Says what comes before that.

    Raises
    ------
    NbbatchError
        A piece is gone, or not what was sealed.
    """
    loads = [_Load(to, p, at) for to, at in missing for p in to.pieces if late in (None, p.late)]
    work = _Work(store, missing, loads, heed, order or Order())
    loading, asking = ThreadPoolExecutor(_LOADING), ThreadPoolExecutor(_ASKING)
    try:
        for _ in loads:
            loading.submit(work.load)
        if heed is not _NOBODY:
            # A worker's store tells what is in it.
            _look(cast(ListingStore, store), loads, asking)
            heed.there()
        for each in loads:
            each.done.result()
    finally:
        # In this order: what loads may wait for what is unpacked.
        asking.shutdown(cancel_futures=True)
        loading.shutdown(cancel_futures=True)
        work.end()


def _look(store: ListingStore, loads: Sequence[_Load], pool: ThreadPoolExecutor) -> None:
    """Return once every piece has come, or is known to be there: whichever is known first."""
    listed = pool.submit(_listed, store)

    def ask(load: _Load) -> None:
        key = layers.key(load.piece.digest)
        if load.came.done() or key in listed.result():
            return
        if store.size(key) is None:
            raise _gone(load.piece)

    # From the end: by then the first ones have come.
    asked = [pool.submit(ask, load) for load in reversed(loads)]
    for load, answer in zip(loads, reversed(asked)):
        for first in wait([load.came, answer], return_when=FIRST_COMPLETED).done:
            first.result()


def _listed(store: ListingStore) -> FrozenSet[str]:
    """Return some of the pieces that are there: one call, or two, instead of one for each."""
    try:
        return frozenset(key for key, _, _ in islice(store.list(layers.key("")), _LISTED))
    # It may not be allowed.
    except OSError:
        return frozenset()


class _Work:
    def __init__(
        self,
        store: Store,
        missing: Sequence[Missing],
        loads: Sequence[_Load],
        heed: Heed,
        order: Order,
    ) -> None:
        self._store, self._heed, self._order = store, heed, order
        self._coming = list(loads)
        self._here: List[_Load] = []
        self._pool = ThreadPoolExecutor(_cores())
        self._room = BoundedSemaphore(_WAITING)
        self._lock = Lock()
        self._left = Counter(load.layer.digest for load in loads)
        for layer, _ in missing:
            if not self._left[layer.digest]:
                heed.unpacked(layer)

    def load(self) -> None:
        """Load the next piece, and have one unpacked."""
        self._room.acquire()
        piece = self._order.take(self._coming)
        try:
            piece.data = load(self._store, piece.piece)
        except BaseException as error:
            self._room.release()
            for each in (piece.came, piece.done):
                each.set_exception(error)
            return
        self._here.append(piece)
        piece.came.set_result(None)
        self._pool.submit(self._unpack)

    def end(self) -> None:
        """Leave what has not begun."""
        self._pool.shutdown(cancel_futures=True)

    def _unpack(self) -> None:
        piece = self._order.take(self._here)
        try:
            unpack(piece.data, piece.folder)
        except BaseException as error:
            piece.done.set_exception(error)
            return
        finally:
            piece.data = b""
            self._room.release()
        with self._lock:
            self._left[piece.layer.digest] -= 1
            whole = not self._left[piece.layer.digest]
        if whole:
            self._heed.unpacked(piece.layer)
        piece.done.set_result(None)


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


def _cores() -> int:
    """Return how many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    # Not everywhere.
    except AttributeError:
        return os.cpu_count() or 1
