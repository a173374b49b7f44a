"""What follows a job, by its record."""

from __future__ import annotations

from nbbatch.backends.base import Backend
from nbbatch.facts import JobFacts
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.futures.records.registry import Record
from nbbatch.futures.watching.tracker import Tracker

__all__ = ["tracker_of"]


def tracker_of(
    record: Record, backend: Backend, key: bytes, facts: JobFacts, known: set[str] | None = None
) -> Tracker:
    """Return what follows a record's job."""
    if record.children is not None:
        return ArrayTracker(backend, key, facts, known, record.before)
    store = backend.store
    return Tracker(store, key, facts, known, nodes=record.nodes, before=record.before)
