"""What is in a store, by kinds, as one listing tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from nbbatch.backends.base import ClientStore
from nbbatch.wire import keys, layers


class Thing(NamedTuple):
    """An object: its key, its size, when it was written."""

    key: str
    size: int
    at: float


@dataclass
class Objects:
    """The objects of one job."""

    things: list[Thing] = field(default_factory=list)

    @property
    def changed_at(self) -> float:
        """When the last of them was written."""
        return max(thing.at for thing in self.things)

    def under(self, prefix: str) -> list[Thing]:
        """Return those whose key begins so."""
        return [thing for thing in self.things if thing.key.startswith(prefix)]


@dataclass
class Survey:
    """What is in a store; the workers' zips are left out, they stay.

    Attributes
    ----------
    shared
        What several jobs may refer to, by the name that they use: blobs, and pieces of libraries.
    records
        What tells other machines of jobs, by the jobs' ids.
    """

    jobs: dict[str, Objects] = field(default_factory=dict)
    cached: list[Thing] = field(default_factory=list)
    shared: dict[str, Thing] = field(default_factory=dict)
    probes: list[Thing] = field(default_factory=list)
    records: dict[str, Thing] = field(default_factory=dict)


def survey(store: ClientStore) -> Survey:
    """List a store."""
    found = Survey()
    for thing in (Thing(*item) for item in store.list("")):
        kind, _, name = thing.key.partition("/")
        if kind + "/" == keys.JOBS:
            job = name.partition("/")[0]
            if keys.is_job_id(job):
                found.jobs.setdefault(job, Objects()).things.append(thing)
        elif kind + "/" == keys.CACHE:
            found.cached.append(thing)
        elif kind + "/" == keys.BLOBS or thing.key == layers.key(name):
            found.shared[name] = thing
        elif kind + "/" == keys.RECORDS:
            found.records[name.rpartition("/")[2]] = thing
        elif kind + "/" == keys.PROBES:
            found.probes.append(thing)
    return found


def jobs_since(store: ClientStore, known: Survey) -> Iterator[tuple[str, Objects]]:
    """Yield the jobs that were begun since a survey, or have written more since."""
    for id_, objects in survey(store).jobs.items():
        before = {thing.key for thing in known.jobs[id_].things} if id_ in known.jobs else set()
        new = [thing for thing in objects.things if thing.key not in before]
        if new:
            yield id_, Objects(new)
