"""What an executor's worker is given to call, and what it gives back: several graphs together.

The client writes numbered objects, each with some calls. The worker works them off in order and
writes what came of them: together, or in several pieces where that takes a while. Whoever has
nothing more to say *closes*: the client so that the worker ends, the worker where nothing has come
for long. Both write the next number if it is not there yet, so that only one of them can: calls
are never given to a worker that has gone, and no worker goes while it is being given some.

No call waits behind a long one while another worker is free. What a worker has in hand and has
not begun it gives back as soon as a call takes long. What it was given *ahead*, before it was
known to be free, the client may take back: the worker claims such calls before it makes any.
Whoever writes first how many of them are the worker's *share* has decided it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from nbbatch.wire import graph, keys, parts, spec
from nbbatch.wire.envelope import Envelope, Stamp, unseal
from nbbatch.wire.graph import Graph, Loaded
from nbbatch.wire.store import Buffer, ReadingStore, Store

__all__ = [
    "Packed",
    "calls_stamp",
    "close",
    "cut",
    "is_closed",
    "pack",
    "read",
    "returned_stamp",
    "settle",
    "share",
    "star",
    "whose",
]


#: Reads a part of an envelope; see `nbbatch.wire.parts.read`.
Read = Callable[..., Buffer]


@dataclass(frozen=True)
class Packed:
    """One of several graphs in an envelope.

    Attributes
    ----------
    meta
        What its writer says of it.
    """

    envelope: Envelope
    meta: Mapping[str, Any]
    indices: Sequence[int]

    def load(
        self, store: ReadingStore, namespace: Dict[str, Any], read: Read = parts.read
    ) -> List[Loaded]:
        """Unpickle it; its seal was checked.

        Parameters
        ----------
        read
            Reads a part, as `nbbatch.wire.parts.read` does.

        Raises
        ------
        WireError, BackendError
            A part is gone, or was altered: nothing has been unpickled.
        """
        if not self.indices:
            return []
        stream, *buffers = (
            read(store, self.envelope, index, lent=place > 0)
            for place, index in enumerate(self.indices)
        )
        return list(graph.load(stream, self.meta["records"], buffers, namespace))


def calls_stamp(key: bytes, job: str, number: int) -> Stamp:
    """Return the stamp of what a worker is given."""
    return Stamp(key, spec.CALLS, f"{job}/{number}")


def returned_stamp(key: bytes, job: str, number: int, upto: int) -> Stamp:
    """Return the stamp of what it gives back."""
    return Stamp(key, spec.RETURNED, f"{job}/{number}-{upto}")


def pack(
    store: Store,
    stamp: Stamp,
    found: Iterable[Tuple[Graph, Mapping[str, Any]]],
    known: "set[str]",
    shared: Optional[parts.Shared] = None,
    **meta: Any,
) -> List[Buffer]:
    """Put the large buffers of some graphs into the store, and seal the rest into one object.

    Parameters
    ----------
    found
        Each graph with what is to be said of it.
    shared
        See `nbbatch.wire.parts.pack`.
    meta
        What is to be said of all.
    """
    described: List[Dict[str, Any]] = []
    buffers: List[Buffer] = []
    places: Dict[Any, int] = {}
    for each, said in found:
        own = []
        for data in each.parts() if each.records else []:
            # What several of them have travels once.
            place = places.setdefault(whose(data) or object(), len(buffers))
            own.append(place)
            if place == len(buffers):
                buffers.append(data)
        described.append({**said, **each.meta(), "parts": own})
    return parts.pack(store, stamp, {**meta, "graphs": described}, buffers, known, shared=shared)


def whose(data: Buffer) -> Optional[Tuple[int, int]]:
    """Name the object whose bytes these are, all of them; None where that can't be told.

    The name holds as long as somebody holds `data`.
    """
    if not isinstance(data, memoryview):
        return None
    try:
        size = memoryview(data.obj).nbytes
    # Not every object shows its bytes to everybody: an array of times does not.
    except (TypeError, ValueError, BufferError):
        return None
    return (id(data.obj), size) if size == data.nbytes else None


def read(data: Buffer, stamp: Stamp) -> Tuple[Mapping[str, Any], List[Packed]]:
    """Check the seal of what `pack` made; return what is said of all, and the graphs.

    Raises
    ------
    SealError
        It was altered.
    """
    envelope = unseal(data, *stamp)
    graphs = envelope.meta["graphs"]
    return envelope.meta, [Packed(envelope, meta, meta["parts"]) for meta in graphs]


def close(store: Store, key: bytes, job: str, number: int) -> bool:
    """Say that there are no more calls, unless there are; tell whether it was said."""
    pieces = pack(store, calls_stamp(key, job, number), (), set(), closed=True)
    return store.put(keys.calls(job, number), pieces, if_absent=True)


def is_closed(meta: Mapping[str, Any]) -> bool:
    """Tell whether an object says that there are no more calls."""
    return bool(meta.get("closed"))


def settle(store: Store, key: bytes, job: str, number: int, upto: int) -> int:
    """Say how many of some calls are the worker's, unless it was said; return what was said."""
    if store.put(keys.share(job, number), _share(store, key, job, number, upto), if_absent=True):
        return upto
    said = share(store, key, job, number)
    return upto if said is None else said


def cut(store: Store, key: bytes, job: str, number: int, upto: int) -> None:
    """Say that fewer of its calls are the worker's: for the worker alone, which has claimed all."""
    store.put(keys.share(job, number), _share(store, key, job, number, upto))


def share(store: ReadingStore, key: bytes, job: str, number: int) -> Optional[int]:
    """Return how many of some calls are the worker's; None where nobody has said it.

    Raises
    ------
    SealError
        It was altered.
    """
    data = store.get(keys.share(job, number))
    return None if data is None else int(read(data, _share_stamp(key, job, number))[0]["upto"])


def _share(store: Store, key: bytes, job: str, number: int, upto: int) -> List[Buffer]:
    return pack(store, _share_stamp(key, job, number), (), set(), upto=upto)


def _share_stamp(key: bytes, job: str, number: int) -> Stamp:
    return Stamp(key, spec.SHARE, f"{job}/{number}")


def star(function: Any, items: Sequence[Sequence[Any]]) -> List[Any]:
    """Call a function with several items, one after the other: what `map` makes of a chunk."""
    return [function(*item) for item in items]
