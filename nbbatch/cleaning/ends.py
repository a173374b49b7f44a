"""Which jobs of a store are over, and this user's: only those may go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from nbbatch.backends.base import Backend
from nbbatch.cleaning.references import header
from nbbatch.cleaning.survey import Objects, Thing
from nbbatch.errors import NbbatchError
from nbbatch.facts import Status
from nbbatch.futures.records.locating import located
from nbbatch.futures.records.registry import Record, Registry
from nbbatch.wire import keys, spec
from nbbatch.wire.envelope import unseal

#: Why a job stays.
LIVE = "that have not ended"
UNTOLD = "of which this machine can't tell whether they have ended"
OTHERS = "of others"
#: Seconds after which a job that its backend does not know is over, and one that was never
#: started will not be.
_UNKNOWN = 86400.0
#: Ids that a backend is asked about at a time.
_ASKED = 100


class Ends:
    """Tells of each job whether it is over.

    Parameters
    ----------
    records
        Those of this machine for the store, by the jobs' ids.
    key
        Returns the key that a job's objects are sealed with.

    Attributes
    ----------
    over
        The jobs of this machine that are over, and those found out to be.
    """

    def __init__(
        self,
        backend: Backend,
        registry: Registry,
        records: Mapping[str, Record],
        key: Callable[[str], bytes],
    ) -> None:
        self._backend = backend
        self._registry = registry
        self._records = records
        self._key = key
        self._live: set[str] = set()
        self.over = self._asked()

    def why_not(self, id_: str, objects: Objects) -> str:
        """Return why a job is to stay, however old it is; ``""`` where it is over."""
        if id_ in self.over:
            return ""
        if id_ in self._records and not self._records[id_].away:
            return LIVE
        inputs = objects.under(keys.input_(id_))
        if not inputs:
            # It is written before the job is started, and after all else that is sent.
            return "" if time.time() - objects.changed_at > _UNKNOWN else LIVE
        if not self._is_mine(id_, inputs[0]):
            return OTHERS
        if not self._has_ended(id_, objects):
            return LIVE if id_ in self._live else UNTOLD
        self.over.add(id_)
        return ""

    def wanted(self) -> Iterator[str]:
        """Yield the jobs that those of this machine need which are not over, as they were told."""
        for id_, record in self._records.items():
            if id_ not in self.over:
                yield from record.depends_on
                yield record.retries

    def _asked(self) -> set[str]:
        """Return the jobs of this machine that are over; the backend is asked about the others."""
        over = {id_ for id_, record in self._records.items() if record.outcome}
        left = [
            located(record, self._backend.runner, self._registry)
            for id_, record in self._records.items()
            if id_ not in over
        ]
        statuses: dict[str, Status] = {}
        ids = [record.batch_job_id for record in left if record.batch_job_id]
        for start in range(0, len(ids), _ASKED):
            statuses.update(self._backend.runner.describe(ids[start : start + _ASKED]))
        for record in left:
            status = statuses.get(record.batch_job_id)
            # Another machine's backend may be one that this one does not see.
            old = not record.away and time.time() - record.submitted_at > _UNKNOWN
            if status.state.final if status is not None else old:
                over.add(record.id)
            elif status is not None:
                self._live.add(record.id)
        return over

    def _is_mine(self, id_: str, thing: Thing) -> bool:
        data = self._backend.store.get(thing.key)
        try:
            unseal(data or b"", self._key(id_), spec.INPUT, id_)
        except NbbatchError:
            return False
        return True

    def _has_ended(self, id_: str, objects: Objects) -> bool:
        """Tell by a job's own objects whether it has ended: it runs on another machine of ours."""
        outcomes = objects.under(keys.outcomes(id_))
        if objects.under(keys.items(id_)):
            ended = [keys.of_child(thing.key) for thing in outcomes]
            marked = {(e.child, e.attempt) for e in ended if e is not None and e.mark == keys.AGAIN}
            over = {e.child for e in ended if e and not e.mark} - {child for child, _ in marked}
            return len(over) == self._children(id_)
        finals = (header(self._backend.store, thing).get("meta", {}) for thing in outcomes)
        # Of several nodes the first one ends last.
        main = [m for thing, m in zip(outcomes, finals, strict=True) if not _of_other_node(thing)]
        return any(isinstance(m, dict) and m.get("final") for m in main)

    def _children(self, id_: str) -> int:
        """Count the children of an array: the table before their items has 16 bytes for each."""
        data = bytearray(8)
        try:
            self._backend.store.read_into(keys.items(id_), 0, memoryview(data))
        except FileNotFoundError:
            return -1
        return int.from_bytes(data, "big") // 16


def _of_other_node(thing: Thing) -> bool:
    found = keys.of_child(thing.key)
    return found is not None and thing.key.count("/") > 3 and found.child > 0
