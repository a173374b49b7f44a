"""Takes away what is old and over; never what a live job needs, be it another machine's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from nbbatch.backends.base import Backend
from nbbatch.cleaning import here
from nbbatch.cleaning.ends import Ends
from nbbatch.cleaning.references import header, referred
from nbbatch.cleaning.report import Report
from nbbatch.cleaning.survey import Objects, Survey, Thing, jobs_since, survey
from nbbatch.config import Settings
from nbbatch.futures.records.registry import Registry
from nbbatch.futures.records.shared import Shared
from nbbatch.libraries.ledger import Ledger
from nbbatch.wire import keys, layers
from nbbatch.wire.store import RELIABLE

__all__ = ["Cleaner"]

#: Seconds that may pass between a client's look at a shared object and the job that refers to it.
_SUBMIT = 86400.0
#: Seconds after which what an examination wrote is left over.
_PROBE = 86400.0
#: Why a job stays.
_YOUNG, _NEEDED = "that are not old enough", "that others need"


class Cleaner:
    """Finds out what may go, and takes it away.

    Parameters
    ----------
    key
        Returns the key that a job's objects are sealed with.
    shared
        The records of the user's other machines.
    older
        Seconds since a job ended, or a result was kept, from which on it is old.
    """

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        key: Callable[[str], bytes],
        shared: Shared,
        older: float,
    ) -> None:
        self._settings = settings
        self._backend = backend
        self._store = backend.store
        self._key = key
        self._older = older
        self._now = time.time()
        self._registry = Registry(settings.home / "jobs")
        self._shared = shared

    def forget_results(self, *, dry: bool = False) -> Report:
        """Take away every result that was kept for later jobs, old or not."""
        report = Report(self._store.url, dry)
        self._remove(report, "cached", survey(self._store).cached)
        return report

    def clean(self, *, dry: bool = False) -> Report:
        """Take away what is old."""
        report = Report(self._store.url, dry)
        found = survey(self._store)
        # Those of this user's other machines, too.
        self._shared.fetch()
        records = {r.id: r for r in self._registry if r.place == self._store.url}
        ends = Ends(self._backend, self._registry, records, self._key)
        cached = [thing for thing in found.cached if self._is_old(thing.at)]
        gone = self._over(found, ends, set(found.cached) - set(cached), report)
        shared = self._unused(found, gone, set(found.cached) - set(cached))
        self._remove(report, "cached", cached)
        for id_ in gone:
            record = [found.records[id_]] if id_ in found.records else []
            self._remove(report, "jobs", [*found.jobs[id_].things, *record], 1)
        self._remove(report, "shared", shared)
        if any(thing.key == layers.key(thing.key.rpartition("/")[2]) for thing in shared):
            self._forget_libraries(dry=dry)
        probes = [thing for thing in found.probes if self._now - thing.at > _PROBE]
        self._remove(report, "probes", probes)
        # A job without objects has nothing more to tell.
        past = [
            r.id for r in records.values() if r.id in ends.over and self._is_old(r.submitted_at)
        ]
        bare = [id_ for id_ in past if id_ not in found.jobs]
        known = {*records, *found.jobs}
        left = here.Here(self._settings.home, self._backend, self._now - self._older, known)
        report.add("here", *left.remove([*gone, *bare], dry=dry))
        for id_ in [] if dry else [*gone, *bare]:
            self._shared.remove(id_)
            self._registry.remove(id_)
        return report

    def _forget_libraries(self, *, dry: bool) -> None:
        """Take no library for sent: some of them have gone, and are sent anew when needed."""
        if not dry:
            Ledger(self._settings.home / "cache" / "layers.json", self._store.url).clear()

    def _is_old(self, at: float) -> bool:
        return self._now - at > self._older

    def _remove(
        self, report: Report, kind: str, things: Iterable[Thing], count: int | None = None
    ) -> None:
        things = list(things)
        report.add(kind, len(things) if count is None else count, things)
        if not report.dry and things:
            self._store.delete(thing.key for thing in things)

    def _over(self, found: Survey, ends: Ends, cached: set[Thing], report: Report) -> list[str]:
        """Return the jobs that may go: old, over, ours, and needed by none that stays."""
        why: dict[str, str] = {}
        for id_, objects in found.jobs.items():
            old = self._is_old(objects.changed_at)
            why[id_] = ends.why_not(id_, objects) if old else _YOUNG
        # What is young may wait for what is old, too.
        waiting = [id_ for id_, reason in why.items() if reason]
        needed = self._needs(found, waiting, ends.over) | self._kept_by(cached)
        needed |= set(ends.wanted())
        for id_, reason in why.items():
            if not reason and id_ in needed:
                why[id_] = _NEEDED
        for reason in filter(None, why.values()):
            report.kept[reason] = report.kept.get(reason, 0) + 1
        return [id_ for id_, reason in why.items() if not reason]

    def _needs(self, found: Survey, waiting: Iterable[str], over: set[str]) -> set[str]:
        """Return the jobs that those which have not ended say that they need."""
        live = (id_ for id_ in waiting if id_ not in over)
        inputs = (t for id_ in live for t in found.jobs[id_].under(keys.input_(id_)))
        return set(filter(keys.is_job_id, referred(self._store, inputs)))

    def _kept_by(self, cached: Iterable[Thing]) -> set[str]:
        """Return the jobs of which a cached result is but the name: its objects are theirs."""
        metas = (header(self._store, thing).get("meta", {}) for thing in cached)
        return {m["record"]["id"] for m in metas if "record" in m and not m.get("whole")}

    def _unused(self, found: Survey, gone: Iterable[str], cached: Iterable[Thing]) -> list[Thing]:
        """Return the blobs and the pieces of libraries that nothing needs which stays."""
        limit = self._now - max(self._older, RELIABLE + _SUBMIT)
        old = {name: thing for name, thing in found.shared.items() if thing.at < limit}
        if not old:
            return []
        # What was written later refers to none of these: it found them too old.
        last = max(thing.at for thing in old.values()) + RELIABLE + _SUBMIT
        stay = [objects for id_, objects in found.jobs.items() if id_ not in set(gone)]
        needed = referred(self._store, [*cached, *_until(last, stay)])
        # And once more what has been written meanwhile.
        new = [objects for _, objects in jobs_since(self._store, found)]
        needed |= referred(self._store, _until(float("inf"), new))
        return [thing for name, thing in old.items() if name not in needed]


def _until(last: float, objects: Iterable[Objects]) -> list[Thing]:
    return [thing for each in objects for thing in each.things if thing.at <= last]
