"""Items of an array that have failed, tried again: as they were sent, in a job of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from nbbatch.backends.base import ClientStore
from nbbatch.capture.items import Needs, capture_items
from nbbatch.capture.values import Captured
from nbbatch.errors import NotFoundError, NotPicklableError
from nbbatch.futures.array.chunks import chunked
from nbbatch.futures.records.registry import Record
from nbbatch.options import Options, option_named, restored
from nbbatch.sending import Packing, Sender, Work
from nbbatch.wire import graph, items, keys, parts, spec
from nbbatch.wire.envelope import Envelope, unseal
from nbbatch.wire.graph import Graph
from nbbatch.wire.spec import JobSpec

__all__ = ["Sent", "points", "retried", "with_changes"]

#: Nothing is captured: what was sent is sent again.
_NOTHING = Captured(Graph(memoryview(b""), [], []))


def with_changes(record: Record, merged: Options, changes: Mapping[str, object]) -> Options:
    """Return the options of a job with what is to be different, which `merged` has, checked."""
    names = [option_named(name).name for name in changes]
    changed = {name: getattr(merged, name) for name in names}
    return replace(restored(record.options), **changed)


class Sent(NamedTuple):
    """A job whose objects are still in the store."""

    store: ClientStore
    record: Record
    key: bytes


def retried(
    job: Sent, chosen: Sequence[int], sender: Sender, chunksize: Any, at_once: int | None
) -> Work:
    """Return what is to run: items of a job, packed for another.

    Raises
    ------
    NotFoundError, SealError
        What was sent is gone, or was altered.
    """
    source = _input(job)
    every = enumerate(_arguments(job, chosen))
    size, portions = chunked(every, len(chosen), chunksize, at_once)
    with Packing(sender, size) as packing:
        for found in capture_items(portions, Needs()):
            packing.add(found)
        packed = packing.finish()
    described = JobSpec.from_meta(source.meta)
    return Work(described, _NOTHING, job.record.notebook, items=packed, source=source)


def points(job: Sent) -> list[Mapping[str, Any]]:
    """Return the parameters of a sweep's points, as they were sent."""
    return [point for (point,) in _arguments(job, range(job.record.items))]


def _input(job: Sent) -> Envelope:
    record = job.record
    data = job.store.get(keys.input_(record.id))
    if data is None:
        raise NotFoundError(
            f"nothing of job {record.id} can be tried again",
            f"{keys.input_(record.id)} is no longer in the store",
            "map the function over the items anew",
        )
    return unseal(data, job.key, spec.INPUT, record.id)


def _arguments(job: Sent, chosen: Sequence[int]) -> Iterator[Any]:
    """Yield the items as they were sent; one child's at a time are held."""
    wanted, size = iter(chosen), job.record.chunksize
    index = next(wanted, None)
    while index is not None:
        child = index // size
        found = _of_child(job, child)
        while index is not None and index // size == child:
            yield found[index]
            index = next(wanted, None)


def _of_child(job: Sent, child: int) -> dict[int, Any]:
    store, record, key = job
    envelope = items.read(store, key, record.id, child)
    stream, *buffers = (parts.read(store, envelope, i) for i in range(len(envelope.parts)))
    namespace = vars(sys.modules["__main__"])
    found = {}
    for each in graph.load(stream, envelope.meta["records"], buffers, namespace):
        if each.error is not None:
            raise NotPicklableError(
                f"item {each.name} of job {record.id} can't be tried again",
                f"{type(each.error).__name__}: {each.error}",
                "map the function over the items anew",
            ) from each.error
        found[int(each.name)] = each.value
    return found
