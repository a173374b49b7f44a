"""Composition: settings and a backend to jobs. Submit, plan, find again, list."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from nbbatch.backends.base import Backend, Call, Launch
from nbbatch.caching import Reuse, told
from nbbatch.config import Settings
from nbbatch.errors import AccessDeniedError, BackendError, NotFoundError, UncertainError
from nbbatch.facts import JobFacts
from nbbatch.futures.array.durations import Durations
from nbbatch.futures.array.job import ArrayJob
from nbbatch.futures.array.sweep import Sweep
from nbbatch.futures.array.taken import ranges
from nbbatch.futures.chains import Chain, Chains
from nbbatch.futures.following import tracker_of
from nbbatch.futures.job import Job
from nbbatch.futures.onward import Onward
from nbbatch.futures.records.locating import located
from nbbatch.futures.records.noting import facts_of
from nbbatch.futures.records.registry import Record, Registry
from nbbatch.futures.records.roll import Roll
from nbbatch.futures.records.shared import Shared, started_by_others
from nbbatch.futures.unstarted import Unstarted
from nbbatch.futures.watching.again import Again
from nbbatch.futures.watching.changes import first_facts
from nbbatch.futures.watching.observer import Observer
from nbbatch.futures.watching.waiting import explained
from nbbatch.futures.watching.watcher import Watcher
from nbbatch.options import Options, merge_defaults
from nbbatch.sending import Known, Sender, Work
from nbbatch.session.launching import described, launch_of, with_upstreams
from nbbatch.session.opening import open_backend, secret_of
from nbbatch.session.retrying import Sent, points, retried, with_changes
from nbbatch.supply import Supply
from nbbatch.wire import keys, parts
from nbbatch.wire.envelope import Part, job_key
from nbbatch.wire.spec import SWEEP
from nbbatch.worker.boot.bundle import bundle

if TYPE_CHECKING:
    from nbbatch.caching import Earlier

__all__ = ["Session"]


class Session:
    """One configuration and its backend.

    Parameters
    ----------
    settings
        See `nbbatch.config`; resolved once, then fixed.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.backend = open_backend(settings)
        # Nobody pays for a job on this machine.
        self._prices = {} if self.backend.name == "local" else settings.prices
        self._secret = secret_of(settings)
        self._registry = Registry(settings.home / "jobs")
        self.shared = Shared(self.backend, self._secret, self._registry)
        self._watcher = Watcher(self.backend)
        self.supply = Supply(settings.home, self.backend, self._secret)
        place = self.backend.name, self.backend.store.url
        self.durations = Durations(settings.home / "cache" / "items.json", *place)
        self._reuse = Reuse(self.backend, self._secret, self.supply)
        self._again = Again(self.backend, self._registry, self._relaunch, self.supply.renew)
        self._chains = Chains(self.backend, self._registry)
        self._known: set[str] = Known()
        self._worker = ""

    def options(self, *layers: Mapping[str, object]) -> Options:
        """Merge options with the configuration's defaults and check them.

        Raises
        ------
        OptionError
            An unknown name, or a value of the wrong kind or out of range.
        """
        return merge_defaults(self.settings.defaults, *layers)

    def submit(self, work: Work, options: Options, observer: Observer | None = None) -> Job[Any]:
        """Start a job: check it, write its objects, then start it.

        Raises
        ------
        NbbatchError
            It was not started; nothing of it is left in the store.
        """
        work = with_upstreams(work)
        cached = self._reuse.name(work, options)
        earlier = self._reuse.find(cached, options)
        if earlier is not None and (job := self._retold(earlier, observer)) is not None:
            if work.items is not None:
                work.items.sender.drop()
            return job
        sender = self.sender(options) if work.items is None else work.items.sender
        launch, record, chain = self._prepare(work, options, sender.job)
        record = replace(record, cache=cached)
        key = self.key_of(record.id)
        work = replace(work, spec=replace(work.spec, upstreams=chain.described(key)))
        self._registry.write(record)
        try:
            self._send_worker()
            say = work.say and work.say.about(first_facts(record, self.backend.name, self._prices))
            libraries = {} if work.source else self.supply.sent(work.captured, options, say)
            with self.shared.publishing(record):
                sender.write(work, options, libraries)
            # Where nobody can tell whether it was started, whoever follows the job finds out.
            with contextlib.suppress(UncertainError):
                record = replace(record, batch_job_id=self.backend.runner.start(launch))
            # It runs: a full disk must not keep it from whoever started it.
            with contextlib.suppress(BackendError):
                self._registry.write(record)
            job = self._made(record, key, observer)
            # Before it is watched: what it says of its image is said but once.
            self.supply.observe(job, work.captured, options)
            return self._watched(job, record)
        except BaseException:
            self._undo(record, sender)
            raise

    def sender(self, options: Options) -> Sender:
        """Check the options of a job; mint its id, and return what writes its objects."""
        self.backend.runner.check(options)
        id_ = keys.new_job_id()
        return Sender(self.backend.store, self.key_of(id_), id_, self._known)

    def spread(
        self, work: Work, options: Options, observer: Observer | None = None
    ) -> ArrayJob[Any]:
        """Start an array job; without any item it has ended, and nothing is started.

        Raises
        ------
        NbbatchError
            It was not started; nothing of it is left in the store.
        """
        assert work.items is not None
        if work.items.children:
            return cast("ArrayJob[Any]", self.submit(work, options, observer))
        record = self._prepare(work, options, work.items.sender.job)[1]
        job = cast("ArrayJob[Any]", self._made(record, b"", observer))
        job.finish()
        return job

    def plan(self, work: Work, options: Options) -> list[Call]:
        """Return the requests that `submit` would send, secrets masked; nothing is sent."""
        self.backend.runner.check(options)
        work = with_upstreams(work)
        launch, record, _ = self._prepare(work, options, keys.new_job_id())
        described = parts.describe(self.backend.store, work.captured.parts())
        store = self.backend.store.url
        calls = [_put(store, keys.blob(part.digest), part) for part in described if part.blob]
        inline = sum(part.size for part in described if not part.blob)
        calls.append(_put(store, keys.input_(record.id), Part(inline, "")))
        return [*calls, *self.backend.runner.plan(launch)]

    def attach(self, id_: str, observer: Observer | None = None) -> Job[Any]:
        """Find a job again, by its id or the beginning of it, or by its name.

        Raises
        ------
        NotFoundError
            No such job was started by this user from this machine with this store.
        """
        record = self._find(id_)
        return self._watched(self._made(record, self.key_of(record.id), observer), record)

    def jobs(self, *, elsewhere: bool = False) -> Iterator[Record]:
        """Yield the jobs of this user on this backend, the newest first.

        Parameters
        ----------
        elsewhere
            Whether the store is asked for those that other machines have started since.
        """
        place = self.backend.store.url
        if elsewhere:
            # Those that are known here are listed all the same.
            with contextlib.suppress(BackendError):
                self.shared.fetch()
        return (record for record in self._registry if record.place == place)

    def facts(self, records: Sequence[Record]) -> list[JobFacts]:
        """Return what is known now about jobs; the backend is asked about those that live."""
        runner = self.backend.runner
        records = [located(record, runner, self._registry) for record in records]
        live = [r.batch_job_id for r in records if r.batch_job_id and not r.outcome]
        known = explained(runner, runner.describe(live), time.time()) if live else {}
        prices = self._prices
        return [facts_of(r, self.backend, prices, known.get(r.batch_job_id)) for r in records]

    def roll(self, notebook: str | None = None) -> Roll:
        """Return the jobs that `jobs` yields, live; of all notebooks or of one."""
        return Roll(self.shared, self._watcher, self.key_of, self._prices, notebook)

    def key_of(self, id_: str) -> bytes:
        """Return a job's sealing key."""
        return job_key(self._secret, id_)

    def cancel(self, id_: str) -> str:
        """Ask a job to end; return its full id."""
        runner = self.backend.runner
        record = located(self._find(id_), runner, self._registry)
        self._registry.cancel(record.id)
        runner.stop([record.batch_job_id] if record.batch_job_id else [], "nbbatch: cancelled")
        self._watcher.hurry()
        return record.id

    def _find(self, wanted: str) -> Record:
        place = self.backend.store.url
        record = self._registry.find(wanted, place)
        if record is None:
            # Who may not list the bucket has the jobs of this machine.
            with contextlib.suppress(AccessDeniedError):
                self.shared.fetch(wanted)
            record = self._registry.find(wanted, place)
        if record is not None:
            return record
        if started_by_others(self.backend, wanted):
            raise NotFoundError(
                f"the job {wanted} is not one of this machine's",
                "it was started with another secret than the one here",
                f"copy the file secret from the other machine's ~/.nbbatch to "
                f"{self.settings.home}, or set NBBATCH_SECRET to what is in it",
            )
        raise NotFoundError(
            f"there is no job {wanted}",
            f"none of that id or name was started by you on {place}",
            "%batch jobs lists those there are",
        )

    def _prepare(self, work: Work, options: Options, id_: str) -> tuple[Launch, Record, Chain]:
        chain = self._chains.needed(work.captured.graph.upstreams, options.depends_on or ())
        record = described(work, options, id_, self.backend.store.url, chain)
        return launch_of(record, options, self.backend, self.key_of(id_)), record, chain

    def _relaunch(self, record: Record, options: Options) -> Launch:
        """Build the launch of a job that starts again; all that it needs is in the store."""
        self._send_worker()
        return launch_of(record, options, self.backend, self.key_of(record.id))

    def _send_worker(self) -> None:
        content, digest = bundle()
        if self._worker != digest:
            self.backend.store.put(keys.worker(digest), [content], if_absent=True)
            self._worker = digest

    def _undo(self, record: Record, sender: Sender) -> None:
        """Leave nothing of a job that was not started, or was interrupted just then."""
        self._registry.remove(record.id)
        # Where this fails too, what went wrong first is what to tell.
        with contextlib.suppress(BackendError):
            if record.batch_job_id:
                self.backend.runner.stop([record.batch_job_id], "nbbatch: interrupted")
            sender.undo()
            self.shared.remove(record.id)

    def _watched(self, job: Job[Any], record: Record) -> Job[Any]:
        unstarted = Unstarted(self.backend, self._registry, self.key_of, self._again)
        onward = Onward(self._again, unstarted)
        job.watch(onward, self._reuse.keep if record.cache else None)
        return job

    def _retold(self, earlier: Earlier, observer: Observer | None) -> Job[Any] | None:
        """Return a job of which nothing is run; None where its result is not there any more."""
        backend = replace(self.backend, store=earlier.store)
        key = self.key_of(earlier.record.id)
        job = self._made(earlier.record, key, observer, backend)
        return job if job.retell(earlier.attempt, told(earlier)) else None

    def _made(
        self, record: Record, key: bytes, observer: Observer | None, backend: Backend | None = None
    ) -> Job[Any]:
        backend = backend or self.backend
        facts = first_facts(record, backend.name, self._prices)
        tracker = tracker_of(record, backend, key, facts, self._known)
        tracker.ended_before = bool(record.outcome)
        if observer is not None:
            tracker.observe(observer)
        kind = Job if record.children is None else Sweep if record.kind == SWEEP else ArrayJob
        job: Job[Any] = kind(tracker, backend, self._watcher, key, record, self._registry)
        if isinstance(job, ArrayJob):
            before = partial(self.attach, record.retries) if record.retries else None
            job.can_retry(self._retry, cast("Any", before))
        if isinstance(job, Sweep):
            job.given = partial(points, Sent(self.backend.store, record, key, self.attach))
        return job

    def _retry(
        self, job: ArrayJob[Any], items: Sequence[int], chunksize: Any, options: dict[str, Any]
    ) -> ArrayJob[Any]:
        """Start items of a job again that have failed, with other options where that is asked."""
        asked = with_changes(job.record, self.options(options), options)
        first, sender = job.first.record, self.sender(asked)
        at_once = self.backend.runner.at_once(asked)
        sent = Sent(self.backend.store, first, self.key_of(first.id), self.attach)
        work = retried(sent, items, sender, chunksize, at_once)
        work = replace(work, retries=(job.id, ranges(items)))
        return cast("ArrayJob[Any]", self.submit(work, asked))


def _put(store: str, key: str, part: Part) -> Call:
    return Call("store", "put", {"key": f"{store}/{key}", "bytes": part.size})
