"""Jobs that need the results of others: what they wait for, and what it means that one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nbbatch.backends.base import Backend
from nbbatch.errors import JobLostError, UpstreamError, UsageError
from nbbatch.futures.array.tracker import tracker_of
from nbbatch.futures.dependencies import resolve
from nbbatch.futures.job import Job
from nbbatch.futures.records.registry import Record, Registry
from nbbatch.futures.returning.diagnosis import DEPENDENCY
from nbbatch.futures.returning.ending import find_ending
from nbbatch.futures.telling.story import Teller
from nbbatch.futures.watching.changes import first_facts
from nbbatch.futures.watching.strand import Strand
from nbbatch.futures.watching.tracker import Tracker
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
    """Knows what jobs of one backend need of one another.

    Parameters
    ----------
    job_key
        Derives a job's key from its id.
    """

    def __init__(
        self, backend: Backend, registry: Registry, job_key: Callable[[str], bytes]
    ) -> None:
        self._backend = backend
        self._registry = registry
        self._job_key = job_key

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
                f"the result of {_said(job.id, job.name)} can't be read by this job",
                f"it is in {job.place}, and this job would run on {self._backend.store.url}",
                "value = job.result(), and give it the value",
            )
        if not job.done():
            return not self._is_there(job)
        if job.facts.outcome != "ok":
            raise UpstreamError(
                f"{_said(job.id, job.name)} has failed, and its result is needed",
                job.facts.message or job.facts.outcome,
                "run that job again, then this one",
            )
        return False

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

    def broken(self, record: Record, tracker: Tracker) -> JobLostError | None:
        """Say which of the jobs that one needs has failed; None where none has."""
        reason = tracker.status.reason if tracker.status is not None else ""
        if not reason.startswith(DEPENDENCY) or tracker.cancelled_here:
            return None
        found = self._failed(record.depends_on)
        if found is None:
            return None
        root, why = found
        return UpstreamError(
            f"{_said(record.id, record.name)} was not started",
            why if root.outcome == "error" else f"{why} ({reason})",
            f"%batch logs {root.id} shows more; run that job again, then this one",
        )

    def _failed(self, ids: Iterable[str]) -> tuple[Record, str] | None:
        """Return the job at the root of it, and how it came to that, if one of these has failed."""
        for other in filter(None, map(self._registry.get, ids)):
            message = self._message(other)
            if message is None:
                continue
            said = f"{_said(other.id, other.name)}, which it needs,"
            further = self._failed(other.depends_on)
            if further is not None:
                return further[0], f"{said} was not started: {further[1]}"
            return other, f"{said} has failed: {message}"
        return None

    def _message(self, other: Record) -> str | None:
        """Return why a job has failed; None where it has not, or nothing is known of it."""
        if other.outcome:
            return None if other.outcome == "ok" else other.message or other.outcome
        key = self._job_key(other.id)
        tracker = tracker_of(other, self._backend, key, first_facts(other, self._backend.name))
        status = self._backend.runner.describe([other.batch_job_id]).get(other.batch_job_id)
        if status is None or not status.state.final:
            return None
        tracker.take_states(status)
        tracker.skip_to_end()
        ending = find_ending(tracker, self._backend.runner)
        return None if ending.word == "ok" else ending.message or ending.word


def _described(job: Job[Any], key: bytes) -> Upstream:
    children = job.facts.children.size if job.facts.children is not None else 0
    return Upstream(job.id, cover(key, job.id, job._key), job.name, job.kind, job.nodes, children)


def _said(id_: str, name: str) -> str:
    return f"job {id_} ({name})"
