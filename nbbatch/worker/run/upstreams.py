"""Results of other jobs that this one refers to: read from the store, when they are unpickled."""

from __future__ import annotations

from concurrent.futures import Future
from types import FunctionType
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from nbbatch import errors
from nbbatch.wire import graph, keys, parts, spec, upstream
from nbbatch.wire.digest import THREADS
from nbbatch.wire.envelope import Envelope, unseal
from nbbatch.wire.spec import JobSpec, Outcome
from nbbatch.wire.store import ListingStore
from nbbatch.wire.upstream import Unbound, Upstream
from nbbatch.worker.run import values
from nbbatch.worker.run.changes import Originals
from nbbatch.worker.run.identity import Identity


class Arrived(Future):  # type: ignore[type-arg]
    """A job, as another one sees it that was started after it: a future that is done."""

    def __init__(self, results: "Results", about: Upstream) -> None:
        super().__init__()
        self._results = results
        self.id = about.job
        self.name = about.label
        # For those who wait; the value is read when it is wanted. One that has failed keeps those
        # that need it from being started.
        self.set_result(None)

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name}: ok>"

    def __reduce__(self) -> Tuple[Any, ...]:
        return upstream.future_of, (self.id,)

    def result(self, timeout: Optional[float] = None) -> Any:
        """Return the value."""
        return self._results.value(self.id, None)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.result())

    def __len__(self) -> int:
        return len(self.result())

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: Any) -> Any:
        return self.result()[index]


def read_from(store: ListingStore, identity: Identity, job: JobSpec, inputs: values.Inputs) -> Any:
    """Have what other jobs have left read where the values refer to it.

    Returns
    -------
    Any
        What stands for a variable that no job has bound after all.
    """
    upstream.reader = Results(store, identity, job, inputs.namespace, inputs.originals)
    return Unbound


class Results(upstream.Reader):
    """What the jobs have left that an input refers to; each is read once, when it is wanted.

    Parameters
    ----------
    namespace
        Where functions of the notebook live.
    originals
        Takes what the large buffers are, as `nbbatch.worker.run.values.Inputs` has it.
    """

    def __init__(
        self,
        store: ListingStore,
        identity: Identity,
        job: JobSpec,
        namespace: Dict[str, Any],
        originals: Originals,
    ) -> None:
        self._store = store
        self._identity = identity
        self._job = job
        self._namespace = namespace
        self._originals = originals
        self._known = {each[0]: Upstream(*each) for each in job.upstreams}
        self._read: Dict[str, List[_Left]] = {}

    def future(self, job: str) -> Arrived:
        """Return what has the job's result."""
        return Arrived(self, self._about(job))

    def value(self, job: str, name: Optional[str], *fallback: Any) -> Any:
        """Return a job's result, or one of its variables.

        Raises
        ------
        NbbatchError
            There is none, or it can't be loaded here: the message names the job.
        """
        about = self._about(job)
        left = self._all_left(about)
        if name is not None:
            return self._variable(about, left[0], name, fallback)
        if about.kind in spec.ARRAYS:
            found = [(int(n), v) for each in left for n, v in self._taken(about, each).items()]
            return [value for _, value in sorted(found, key=lambda pair: pair[0])]
        plain = [self._taken(about, each) for each in left]
        if about.kind != "cell":
            plain = [each[""] for each in plain]
        return plain if about.nodes > 1 else plain[0]

    def _about(self, job: str) -> Upstream:
        if job not in self._known:
            raise errors.SealError(
                f"a result of job {job} is refused",
                f"the values of {self._job.name} refer to it, and its header does not name it",
                "run it again",
            )
        return self._known[job]

    def _taken(self, about: Upstream, left: "_Left") -> Dict[str, Any]:
        if left.broken:
            raise self._unreadable(about, *next(iter(left.broken.items())))
        return left.values

    def _variable(self, about: Upstream, left: "_Left", name: str, fallback: Sequence[Any]) -> Any:
        if name in left.broken:
            raise self._unreadable(about, name, left.broken[name])
        if name in left.values:
            value = left.values[name]
            if isinstance(value, (FunctionType, type)):
                # It may use the others, by their names.
                for other, found in left.values.items():
                    self._namespace.setdefault(other, found)
            return value
        reason = dict(left.outcome.unreturned).get(name)
        if reason is not None:
            raise errors.NotFoundError(
                f"{name} of {about.said} is not there for {self._job.name}",
                f"it stayed in that job: {reason}",
                f"make {name} in the cell that uses it, or have that job leave what pickles",
            )
        return fallback[0] if fallback and name not in left.outcome.deleted else Unbound

    def _unreadable(self, about: Upstream, name: str, error: BaseException) -> errors.NbbatchError:
        said = f"{name} of {about.said}" if name else f"the result of {about.said}"
        record = graph.Loaded(spec.VALUE, said, error=error)
        return values.unreadable(record, self._job)

    def _all_left(self, about: Upstream) -> "List[_Left]":
        if about.job not in self._read:
            self._read[about.job] = list(self._read_all(about))
        return self._read[about.job]

    def _read_all(self, about: Upstream) -> "Iterator[_Left]":
        key = upstream.uncover(self._identity.key, about.job, about.key)
        names = self._outcomes(about)
        if len(names) == 1:
            yield self._opened(about, key, names[0])
            return
        # Loaded only for jobs of several parts.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(lambda name: self._fetched(about, key, name), names))
        # Unpickling runs the values' own code: one after the other.
        for outcome, envelope in found:
            yield self._loaded(about, outcome, envelope)

    def _outcomes(self, about: Upstream) -> "List[Tuple[str, Optional[int]]]":
        """Return the names of the outcomes that count, and of which part each is."""
        ends: Dict[Optional[int], int] = {}
        parted = about.nodes > 1 or about.kind in spec.ARRAYS
        for name, _, _ in self._store.list(keys.outcomes(about.job)):
            part: Optional[int] = None
            if parted:
                found = keys.of_child(name)
                if found is None or found.mark:
                    continue
                attempt, part = found.attempt, found.child
            else:
                attempt = int(name.rpartition("/")[2])
            ends[part] = max(attempt, ends.get(part, 0))
        wanted: Sequence[Optional[int]] = (
            range(max(about.nodes if about.nodes > 1 else about.children, 0)) if parted else [None]
        )
        missing = [part for part in wanted if part not in ends]
        if missing:
            raise self._gone(about)
        return [(keys.outcome(about.job, ends[part], part), part) for part in wanted]

    def _gone(self, about: Upstream) -> errors.NotFoundError:
        return errors.NotFoundError(
            f"{self._job.name} needs the result of {about.said}",
            "that job has left none in the store, or it was deleted",
            "run that job again, then this one",
        )

    def _opened(self, about: Upstream, key: bytes, named: "Tuple[str, Optional[int]]") -> "_Left":
        return self._loaded(about, *self._fetched(about, key, named))

    def _fetched(
        self, about: Upstream, key: bytes, named: "Tuple[str, Optional[int]]"
    ) -> "Tuple[Outcome, Envelope]":
        name, part = named
        data = self._store.get(name)
        if data is None:
            raise self._gone(about)
        envelope = unseal(data, key, spec.OUTCOME, keys.owner(about.job, part))
        outcome = Outcome.from_meta(envelope.meta)
        if outcome.status != spec.OK:
            cause = outcome.failures[0] if outcome.failures else None
            said = f"{cause.ename}: {cause.evalue}" if cause is not None else outcome.what
            raise errors.UpstreamError(
                f"{self._job.name} needs the result of {about.said}, which has failed",
                said or f"it ended with {outcome.status}",
                f"%batch logs {about.job} shows more; run that job again, then this one",
            )
        return outcome, envelope

    def _loaded(self, about: Upstream, outcome: Outcome, envelope: Envelope) -> "_Left":
        left = _Left(outcome)
        if not outcome.records:
            return left
        stream, *rest = range(len(envelope.parts))
        buffers = [parts.read(self._store, envelope, index, lent=True) for index in rest]
        values.note_originals(self._store, self._originals, envelope.parts[1:], buffers)
        data = parts.read(self._store, envelope, stream)
        for record in graph.load(data, outcome.records, buffers, self._namespace):
            if record.error is not None:
                left.broken[record.name] = record.error
            else:
                left.values[record.name] = record.value
        return left


class _Left:
    """What one part of a job has left: values by name, and those that can't be loaded here."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.values: Dict[str, Any] = {}
        self.broken: Dict[str, BaseException] = {}
