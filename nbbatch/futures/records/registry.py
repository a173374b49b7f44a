"""The jobs that this user started from this machine: a small file each."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbbatch.errors import as_disk_error
from nbbatch.facts import State, Stay

#: The beginning or end of an id must be longer than this.
_SHORTEST = 3


@dataclass(frozen=True)
class Record:
    """What must be known to find a job again.

    Attributes
    ----------
    place
        The root of the store that holds it, which also tells the backend.
    before
        How many attempts were made before by other jobs of the backend.
    options, directory
        What it was started with, where it may have to be started again from here.
    outcome, message
        As in `facts.JobFacts`, once a kernel of this user has seen the end.
    stays
        As in `facts.JobFacts`, from then on: no backend tells all of them later.
    catch, print_exception, lazy
        As in `nbbatch.options.Options`.
    notebook
        Where it was started, as `nbbatch.origin.notebook` names it; ``""`` outside notebooks.
    ended
        What else is worth keeping of its facts once it has ended (`futures.records.noting`).
    children
        How many children an array has; None of any other job.
    cache
        The name of its result in the cache, where later jobs may take it from there.
    items, chunksize
        How many items it is mapped over, and how many of them a child gets.
    retries, retried
        The job of which it tries items again, and which items these are (`array.taken.ranges`).
    wants
        The modules that its code and its values import, from which its results may come.
    depends_on
        The jobs that must succeed before it is started, by their own ids.
    after
        The same, by the ids that their backend has given them.
    anew
        How often it was started anew that had not run, for a job that it needs had started again.
    queue
        The one that it asked for; ``""`` for none.
    away
        Whether another machine has started it: from here it is not started again.
    """

    id: str
    name: str
    kind: str
    place: str
    submitted_at: float
    batch_job_id: str = ""
    attempts: int = 1
    nodes: int = 1
    asked: Mapping[str, Any] = field(default_factory=dict)
    before: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    directory: str = ""
    outcome: str = ""
    message: str = ""
    catch: str | None = None
    print_exception: bool = True
    stays: Sequence[Sequence[Any]] = ()
    notebook: str = ""
    ended: Mapping[str, Any] = field(default_factory=dict)
    children: int | None = None
    items: int = 0
    chunksize: int = 1
    retries: str = ""
    retried: str = ""
    depends_on: Sequence[str] = ()
    queue: str = ""
    away: bool = False
    cache: str = ""
    lazy: bool = False
    wants: Sequence[str] = ()
    after: Sequence[str] = ()
    anew: int = 0

    def past(self) -> tuple[Stay, ...]:
        """Return the states of a job that has ended."""
        return tuple(Stay(State(state), *rest) for state, *rest in self.stays)

    def given(self) -> dict[str, Any]:
        """Return what a job that has ended was given; empty where nobody has noted it."""
        found = self.ended.get("given")
        return dict(found) if isinstance(found, Mapping) else {}


def read(values: Any) -> Record | None:
    """Return a record from its fields; None where a newer version has written others."""
    try:
        return Record(**values)
    except TypeError:
        return None


class Registry:
    """A folder of records."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, record: Record) -> None:
        """Add or replace a record, whole or not at all.

        Raises
        ------
        BackendError
            The disk is full, or the folder is not ours to write.
        """
        path = self._path(record.id)
        temporary = path.with_suffix(f".{os.urandom(6).hex()}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_text(json.dumps(dataclasses.asdict(record)))
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise as_disk_error(error, f"job {record.id} can't be noted") from error

    def remove(self, id_: str) -> None:
        """Forget a job that was not started after all."""
        self._path(id_).unlink(missing_ok=True)
        self._mark_of_cancel(id_).unlink(missing_ok=True)

    def cancel(self, id_: str) -> None:
        """Note that a job is to end: whoever follows it does not start it again."""
        # Where there is no room for it, it is stopped all the same.
        with contextlib.suppress(OSError):
            self._mark_of_cancel(id_).touch(mode=0o600)

    def cancelled(self, id_: str) -> bool:
        """Tell whether that was noted."""
        return self._mark_of_cancel(id_).exists()

    def get(self, id_: str) -> Record | None:
        """Return a job's record."""
        try:
            return read(json.loads(self._path(id_).read_text()))
        # Not there (any more), or not ours to read; cut off by a full disk.
        except (OSError, ValueError):
            return None

    def changed_at(self) -> int:
        """Return when records were last added, replaced or removed: nanoseconds, 0 for never."""
        try:
            return self._folder.stat().st_mtime_ns
        except OSError:
            return 0

    def names(self) -> list[str]:
        """Return the ids of all jobs, in no order; nothing is read."""
        try:
            found = os.listdir(self._folder)
        except OSError:
            return []
        return [name.removesuffix(".json") for name in found if name.endswith(".json")]

    def mark(self, id_: str) -> object:
        """Return what differs once a job's record was replaced; None where there is none."""
        try:
            found = self._path(id_).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def find(self, wanted: str, place: str) -> Record | None:
        """Return the newest job of that name or id, or part of an id, in a store."""
        for record in self:
            part = len(wanted) > _SHORTEST and (
                record.id.startswith(wanted) or record.id.endswith(wanted)
            )
            if record.place == place and (part or wanted == record.name):
                return record
        return None

    def __iter__(self) -> Iterator[Record]:
        """Yield the records, the newest first."""
        # An id begins with its second; within one the records themselves tell.
        names = sorted(self.names(), reverse=True)
        for _, same in itertools.groupby(names, lambda name: name.rpartition("-")[0]):
            found = [record for name in same if (record := self.get(name)) is not None]
            yield from sorted(found, key=lambda record: record.submitted_at, reverse=True)

    def _path(self, id_: str) -> Path:
        return self._folder / f"{id_}.json"

    def _mark_of_cancel(self, id_: str) -> Path:
        return self._folder / f"{id_}.cancelled"
