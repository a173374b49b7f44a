"""Items of an array that have failed, tried again: as they were sent, in a job of their own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from nbbatch.wire import graph, items, keys, parts, spec, upstream
from nbbatch.wire.envelope import Envelope, unseal
from nbbatch.wire.graph import Graph
from nbbatch.wire.spec import JobSpec
from nbbatch.wire.upstream import Promised, Reference

__all__ = ["Sent", "points", "retried", "with_changes"]


def with_changes(record: Record, merged: Options, changes: Mapping[str, object]) -> Options:
    """Return the options of a job with what is to be different, which `merged` has, checked."""
    names = [option_named(name).name for name in changes]
    changed = {name: getattr(merged, name) for name in names}
    return replace(restored(record.options), **changed)


class Sent(NamedTuple):
    """A job whose objects are still in the store; `find` returns those whose results it reads."""

    store: ClientStore
    record: Record
    key: bytes
    find: Callable[[str], Any]


class _Result(Promised):
    """Stands for a result that an item refers to: it does not pass through here this time either.

    Parameters
    ----------
    reference
        What it stands for.
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def promised(self) -> Reference:
        """Return what it stands for."""
        return self._reference


class _References:
    """Keeps references what they are while items are read here."""

    def __init__(self, find: Callable[[str], Any]) -> None:
        self._find = find

    def value(self, job: str, name: str | None, *fallback: Any) -> Any:
        """Return what stands for a job's result, or for one of its variables."""
        return _Result(Reference(self._find(job), name, fallback))

    def future(self, job: str) -> Any:
        """Return the job."""
        return self._find(job)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Read what refers to other jobs."""
        before, upstream.reader = upstream.reader, self
        try:
            yield
        finally:
            upstream.reader = before


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
    # What is sent again names them still; the job must be told of them with a key of its own.
    read = {each[0]: job.find(each[0]) for each in described.upstreams}
    captured = Captured(Graph(memoryview(b""), [], [], upstreams=read))
    return Work(described, captured, job.record.notebook, items=packed, source=source)


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
    store, record, key, _ = job
    envelope = items.read(store, key, record.id, child)
    stream, *buffers = (parts.read(store, envelope, i) for i in range(len(envelope.parts)))
    namespace = vars(sys.modules["__main__"])
    found = {}
    with _References(job.find).kept():
        loaded = list(graph.load(stream, envelope.meta["records"], buffers, namespace))
    for each in loaded:
        if each.error is not None:
            raise NotPicklableError(
                f"item {each.name} of job {record.id} can't be tried again",
                f"{type(each.error).__name__}: {each.error}",
                "map the function over the items anew",
            ) from each.error
        found[int(each.name)] = each.value
    return found
