"""Jobs that need the results of others: what they wait for, and what they are told of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nbbatch.backends.base import Backend
from nbbatch.errors import NotFoundError, UpstreamError, UsageError
from nbbatch.futures.array.job import ArrayJob
from nbbatch.futures.dependencies import resolve
from nbbatch.futures.job import Job
from nbbatch.futures.records.registry import Registry
from nbbatch.futures.telling.story import Teller
from nbbatch.futures.unstarted import named
from nbbatch.futures.watching.strand import Strand
from nbbatch.wire import keys, spec
from nbbatch.wire.upstream import Upstream, cover

__all__ = ["Chain", "Chains"]


@dataclass(frozen=True)
class Chain:
    """The jobs that one needs.

    Attributes
    ----------
    after
        The backend's ids of those that it has to wait for.
    jobs
        The ids of those that must not fail.
    read
        Those whose results it reads.
    """

    after: tuple[str, ...]
    jobs: tuple[str, ...]
    read: tuple[Job[Any], ...]

    def described(self, key: bytes) -> tuple[Upstream, ...]:
        """Say what the job that has this key is told of those whose results it reads."""
        return tuple(_described(job, key) for job in self.read)


class Chains:
    """Knows what jobs of one backend need of one another."""

    def __init__(self, backend: Backend, registry: Registry) -> None:
        self._backend = backend
        self._registry = registry

    def needed(self, read: Mapping[str, Job[Any]], depends_on: Iterable[str]) -> Chain:
        """Say what a job has to wait for that reads the results of others.

        A result that is there is not waited for.

        Raises
        ------
        UsageError
            One of the jobs is on another backend.
        UpstreamError
            One of them has failed.
        OptionError
            See `nbbatch.futures.dependencies.resolve`.
        """
        named = resolve(depends_on, self._registry, self._backend)
        waits = {job.id: job.batch_job_id for job in read.values() if self._waits_for(job)}
        after = tuple(dict.fromkeys([*named.values(), *waits.values()]))
        return Chain(after, tuple(dict.fromkeys([*named, *waits])), tuple(read.values()))

    def _waits_for(self, job: Job[Any]) -> bool:
        if job.place != self._backend.store.url:
            raise UsageError(
                f"the result of {named(job.record)} can't be read by this job",
                f"it is in {job.place}, and this job would run on {self._backend.store.url}",
                "value = job.result(), and give it the value",
            )
        if not job.done():
            return not self._is_there(job)
        if job.facts.outcome != "ok":
            raise UpstreamError(
                f"{named(job.record)} has failed, and its result is needed",
                job.facts.message or job.facts.outcome,
                "run that job again, then this one",
            )
        if job.facts.cached:
            self._put_back(job)
        return False

    def _put_back(self, job: Job[Any]) -> None:
        """See to it that a result is there which came from the cache: its job may be long gone."""
        store = self._backend.store
        there = {name for name, _, _ in store.list(keys.outcomes(job.id))}
        if isinstance(job, ArrayJob):
            parts = {found.child for found in map(keys.of_child, there) if found is not None}
            if len(parts) < job.children.size:
                raise NotFoundError(
                    f"the result of {named(job.record)} is not there any more",
                    "it was taken from the cache, and has been deleted since",
                    "map the function again, then start this job",
                )
            return
        for strand in map(job.strand, range(job.nodes)):
            name = keys.outcome(job.id, strand.attempt, strand.part)
            if name not in there:
                # As it was sealed: whoever reads it checks that.
                store.put(name, [strand.sealed], if_absent=True)

    def _is_there(self, job: Job[Any]) -> bool:
        """Tell whether a job that nobody here has seen ending has left its result."""
        if job.nodes > 1 or job.kind in spec.ARRAYS:
            return False
        names = [name for name, _, _ in self._backend.store.list(keys.outcomes(job.id))]
        attempts = [int(word) for word in (n.rpartition("/")[2] for n in names) if word.isdecimal()]
        if not attempts:
            return False
        strand = Strand(self._backend.store, Teller(job._key, job.id))
        strand.restart(max(attempts), told=True)
        strand.read_outcome()
        return strand.outcome is not None and strand.outcome.status == spec.OK


def _described(job: Job[Any], key: bytes) -> Upstream:
    children = job.facts.children.size if job.facts.children is not None else 0
    return Upstream(job.id, cover(key, job.id, job._key), job.name, job.kind, job.nodes, children)
