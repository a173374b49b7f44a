"""What goes to an executor's workers while they run, and what comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.futures.returning.rebuild import rebuild
from nbbatch.futures.returning.results import notebook
from nbbatch.wire import calls, keys
from nbbatch.wire.calls import Packed
from nbbatch.wire.graph import Graph
from nbbatch.wire.parts import Shared
from nbbatch.wire.spec import Failure

__all__ = ["Delivery", "Ends", "Post"]

#: Of calls: whether each returned, and how many seconds it took.
Ends = Sequence[tuple[bool, float]]


class Post:
    """Where a worker's calls go, and what came of them is found.

    Parameters
    ----------
    known, shared
        See `nbbatch.wire.parts.pack`.
    """

    def __init__(
        self, store: ClientStore, key: bytes, job: str, known: set[str], shared: Shared
    ) -> None:
        self._store = store
        self._key = key
        self._job = job
        self._known = known
        self._shared = shared

    def give(
        self, number: int, graphs: Sequence[Graph], sources: Mapping[str, Any], *, ahead: bool
    ) -> bool:
        """Write calls; tell whether the worker will see them.

        Parameters
        ----------
        ahead
            Whether they may be taken back; the worker claims them first.
        """
        stamp = calls.calls_stamp(self._key, self._job, number)
        bytecode = any(graph.bytecode for graph in graphs)
        pieces = calls.pack(
            self._store,
            stamp,
            [(graph, {}) for graph in graphs],
            self._known,
            self._shared,
            bytecode=bytecode,
            sources=dict(sources),
            ahead=ahead,
        )
        return self._store.put(keys.calls(self._job, number), pieces, if_absent=True)

    def close(self, number: int) -> None:
        """Tell the worker that nothing more comes."""
        calls.close(self._store, self._key, self._job, number)

    def take_back(self, number: int) -> bool:
        """Take calls back that were given ahead; tell whether the worker had not claimed them."""
        return calls.settle(self._store, self._key, self._job, number, 0) == 0

    def share(self, number: int) -> int | None:
        """Return how many of some calls the worker makes, where anybody has said it."""
        return calls.share(self._store, self._key, self._job, number)

    def returned(self) -> Iterator[tuple[int, int]]:
        """Yield what the worker has given back, in order: of which calls, up to which."""
        names = (name for name, _, _ in self._store.list(keys.returned_all(self._job)))
        return iter(sorted(keys.of_returned(name) for name in names))

    def open(self, number: int, upto: int) -> list[Packed]:
        """Fetch what came of some calls, and check its seal.

        Raises
        ------
        WireError, BackendError
            It is gone, or was altered.
        """
        stamp = calls.returned_stamp(self._key, self._job, number, upto)
        data = self._store.get(keys.returned(self._job, number, upto))
        return calls.read(data or b"", stamp)[1]

    def load(self, packed: Packed) -> tuple[Any, BaseException | None]:
        """Unpickle what a call returned, or raised."""
        found = packed.load(self._store, notebook())
        failures = [Failure(name, text, frames, link) for name, text, frames, link in _said(packed)]
        if failures:
            values = {int(each.name): each.value for each in found}
            raised = {i: v for i, v in values.items() if isinstance(v, BaseException)}
            return None, rebuild(failures, raised, f"job {self._job}")
        record = found[0]
        return record.value, record.error


def _said(packed: Packed) -> Iterator[tuple[str, str, Any, str]]:
    for name, text, frames, link in packed.meta["failures"]:
        yield name, text, tuple(tuple(each) for each in frames), link


class Delivery:
    """Some calls' results, fetched once, when the first of them is asked for."""

    def __init__(self, post: Post, number: int, upto: int) -> None:
        self._post = post
        self._name = number, upto
        self._lock = threading.Lock()
        self._packed: list[Packed] | None = None

    def take(self, index: int) -> tuple[Any, BaseException | None]:
        """Return a call's value, or what it raised."""
        # What can't be read, or rebuilt here, is the error of the call.
        try:
            with self._lock:
                if self._packed is None:
                    self._packed = self._post.open(*self._name)
            return self._post.load(self._packed[index])
        except Exception as error:
            return None, error

    def ends(self) -> Ends:
        """Return how the calls ended, without unpickling anything; see the frame ``returned``."""
        with self._lock:
            if self._packed is None:
                self._packed = self._post.open(*self._name)
            return [(not each.meta["failures"], each.meta["seconds"]) for each in self._packed]
