"""The records of one user where their other machines find them: in the store, sealed.

A record is sealed with a key that comes of the user's secret, and so does the name of the folder.
A machine that has the secret finds the jobs of all others that have it, and takes none for one of
them that anybody else has put there: write access to the store alone adds no job, and alters
none. What it finds it adds to its own registry, once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from nbbatch.backends.base import Backend
from nbbatch.errors import BackendError, WireError
from nbbatch.futures.records.registry import Record, Registry, read
from nbbatch.wire import keys, spec
from nbbatch.wire.claims import Claiming, claimant
from nbbatch.wire.envelope import job_key, seal, unseal

__all__ = ["Shared", "started_by_others"]

#: The most records that are read at a time, the newest, and how many side by side.
_MOST, _THREADS = 500, 16


class Shared:
    """One user's records in a store; where no other machine sees the store, there are none.

    Attributes
    ----------
    registry
        This machine's own.
    """

    def __init__(self, backend: Backend, secret: bytes, registry: Registry) -> None:
        self.backend = backend
        self.registry = registry
        self._secret = secret
        self._key = _derived(secret, b"nbbatch records")
        self._owner = _derived(secret, b"nbbatch owner").hex()[:32]
        #: What was no record of this user's.
        self._refused: set[str] = set()

    @contextlib.contextmanager
    def publishing(self, record: Record) -> Iterator[None]:
        """Write a record while other objects of the job are written."""
        if not self.backend.shared:
            yield
            return
        thread = threading.Thread(target=self._publish, args=(record,), name="nbbatch-record")
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def remove(self, id_: str) -> None:
        """Forget a job that was not started after all.

        Raises
        ------
        BackendError
            The store can't be reached.
        """
        if self.backend.shared:
            self.backend.store.delete([keys.record(self._owner, id_)])

    def fetch(self, wanted: str = "", *, days: int | None = None) -> None:
        """Add what other machines have noted to this one's registry.

        Parameters
        ----------
        wanted
            A job's id, its beginning or its end; or its name, or nothing, for all.
        days
            How many, up to now, a job may have been started ago; None for any number.

        Raises
        ------
        BackendError
            The store can't be reached.
        """
        if not self.backend.shared:
            return
        folder = keys.records(self._owner)
        begun = [""] if days is None else _days(days)
        listed = [each for day in begun for each in self.backend.store.list(folder + day)]
        there = [key[len(folder) :] for key, _, _ in listed]
        here = {*self.registry.names(), *self._refused}
        new = sorted((id_ for id_ in there if id_ not in here), reverse=True)
        fitting = [id_ for id_ in new if id_.startswith(wanted) or id_.endswith(wanted)]
        with ThreadPoolExecutor(_THREADS, "nbbatch-records") as pool:
            list(pool.map(self._take, (fitting or new)[:_MOST]))

    def _publish(self, record: Record) -> None:
        # What a job was started with stays on the machine that started it.
        meta = dataclasses.asdict(replace(record, options={}, directory=""))
        pieces = seal(self._key, spec.RECORD, record.id, meta)
        # A help for later: whoever may not write it starts jobs all the same.
        with contextlib.suppress(BackendError):
            self.backend.store.put(keys.record(self._owner, record.id), pieces)

    def _take(self, id_: str) -> None:
        data = self.backend.store.get(keys.record(self._owner, id_))
        record = self._opened(id_, data) if data is not None else None
        if record is None:
            self._refused.add(id_)
            return
        place = self.backend.store.url
        begun = self._begun(record)
        self.registry.write(replace(record, place=place, away=True, batch_job_id=begun))

    def _begun(self, record: Record) -> str:
        """Return the backend's id of a job that has begun: it says so itself."""
        if record.children is not None:
            return ""
        part = 0 if record.nodes > 1 else None
        claiming = Claiming(job_key(self._secret, record.id), record.id, 1, part)
        return claimant(claiming, self.backend.store.get(claiming.name))

    def _opened(self, id_: str, data: bytes) -> Record | None:
        try:
            return read(unseal(data, self._key, spec.RECORD, id_).meta)
        # Not this user's, or of a newer version.
        except WireError:
            return None


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.new(secret, purpose, hashlib.sha256).digest()


def _days(count: int) -> list[str]:
    """Return what the ids of the last days' jobs begin with."""
    now = time.time()
    return [time.strftime("%Y%m%d", time.gmtime(now - 86400 * ago)) for ago in range(count)]


def started_by_others(backend: Backend, wanted: str) -> bool:
    """Tell whether there is a job of that id which another secret has sealed."""
    return keys.is_job_id(wanted) and backend.store.size(keys.input_(wanted)) is not None
