"""Results in the store: one sealed object each, with all that showing and returning it takes.

It is named and sealed with a key that comes from the user's secret: whoever has the secret may
take the result, nobody else can find it by what was computed, nor put another in its place. It
holds the job's outcome and its story as they were sealed by the job, so that one request brings
both, and they are checked as the job's own are. Large values stay the blobs that they were.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from nbbatch.backends.base import ClientStore
from nbbatch.caching.shelf import Shelf
from nbbatch.errors import NbbatchError, NotFoundError, SealError, WireError
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.futures.records.noting import noted
from nbbatch.futures.records.registry import Record
from nbbatch.futures.watching.strand import Strand
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.wire import keys, parts, spec
from nbbatch.wire.digest import digest
from nbbatch.wire.envelope import Envelope, Part, Stamp, cache_key, job_key, seal, unseal
from nbbatch.wire.frames import encode, latest, merged
from nbbatch.wire.store import Buffer

__all__ = ["Earlier", "Results"]

#: What is not kept of a job's record: what is about this machine, or about how it is shown.
_OWN: Final = frozenset(
    ("options", "directory", "notebook", "outcome", "catch", "print_exception", "depends_on")
)


@dataclass(frozen=True)
class Earlier:
    """A job whose result will do.

    Attributes
    ----------
    attempt
        The one that succeeded.
    at
        When it ended: seconds since the epoch.
    store
        Where its objects are.
    """

    record: Record
    attempt: int
    at: float
    store: ClientStore


class Results:
    """The results of earlier jobs in one store.

    Parameters
    ----------
    secret
        The user's.
    """

    def __init__(self, store: ClientStore, secret: bytes) -> None:
        self._store = store
        self._secret = secret
        self._key = cache_key(secret)
        self._known: set[str] = set()

    def name(self, identity: bytes) -> str:
        """Name the result of what has this identity; without the secret it says nothing."""
        return hmac.new(self._key, identity, hashlib.sha256).hexdigest()

    def find(self, name: str, oldest: float | None = None) -> Earlier | None:
        """Return the job that left a result, if there is one, complete and not altered.

        Parameters
        ----------
        oldest
            Seconds since it ended, at most.
        """
        data = self._store.get(keys.cached(name))
        if data is None:
            return None
        try:
            found = self._read(unseal(data, self._key, spec.CACHED, name))
        except SealError as error:
            said = f"an earlier result is not taken from the cache: {error.cause}"
            warnings.warn(said, RuntimeWarning, stacklevel=5)
            return None
        # Of another version; or its large values are gone.
        except (WireError, NotFoundError, TypeError, KeyError):
            return None
        return None if oldest is not None and time.time() - found.at > oldest else found

    def _read(self, envelope: Envelope) -> Earlier:
        meta = envelope.meta
        for name, size in meta["blobs"]:
            if self._store.size(keys.blob(name)) != size:
                raise NotFoundError(f"{name} is gone", "it was deleted", "run the job again")
        objects = {
            key: bytes(parts.read(self._store, envelope, index))
            for index, key in enumerate(meta["objects"])
        }
        shelf = Shelf(self._store, objects, meta["whole"])
        record = Record(**meta["record"])
        return Earlier(record, meta["attempt"], meta["at"], cast(ClientStore, shelf))

    def keep(self, record: Record, tracker: Tracker) -> None:
        """Keep the result of a job that has succeeded; where that fails, it is not kept."""
        # A full store, or one that can't be written: the job itself is none the worse.
        with contextlib.suppress(NbbatchError):
            name = record.cache
            if record.outcome and self._store.size(keys.cached(name)) is not None:
                return
            self._store.put(keys.cached(name), self._packed(record, tracker))

    def _packed(self, record: Record, tracker: Tracker) -> list[Buffer]:
        facts = tracker.facts
        told = dataclasses.asdict(noted(record, facts))
        single = not isinstance(tracker, ArrayTracker)
        objects = dict(self._objects(tracker)) if single else {}
        frames = keys.stories(facts.id)
        heard = any(key.startswith(frames) for key in objects)
        meta = {
            "record": {name: value for name, value in told.items() if name not in _OWN},
            "attempt": facts.attempt,
            "at": facts.stopped_at or time.time(),
            "objects": list(objects),
            "whole": frames if heard else "",
            "blobs": [[part.digest, part.size] for part in _blobs(tracker)] if single else [],
        }
        stamp = Stamp(self._key, spec.CACHED, record.cache)
        return parts.pack(self._store, stamp, meta, list(objects.values()), self._known)

    def _objects(self, tracker: Tracker) -> Iterator[tuple[str, bytes]]:
        """Yield the outcomes, and the stories if all are known, by their names."""
        job = tracker.facts.id
        for strand in tracker.strands:
            yield keys.outcome(job, strand.attempt, strand.part), strand.sealed
        if all(strand.story for strand in tracker.strands):
            for strand in tracker.strands:
                yield keys.frames(job, strand.attempt, 0, strand.part), self._story(job, strand)

    def _story(self, job: str, strand: Strand) -> bytes:
        """Seal all frames as the first object of the story, as the job does."""
        data = encode(merged(latest(strand.story or [])))
        stamp = Stamp(job_key(self._secret, job), spec.FRAMES, keys.owner(job, strand.part))
        meta = {"attempt": strand.attempt, "number": 0}
        return b"".join(seal(*stamp, meta, [Part(len(data), digest(data))], [data]))


def _blobs(tracker: Tracker) -> Iterator[Part]:
    for strand in tracker.strands:
        if strand.envelope is not None:
            yield from (part for part in strand.envelope.parts if part.blob)
