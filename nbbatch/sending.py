"""What a job is sent: its code, the values that it needs, and what each child of an array gets."""

from __future__ import annotations

import contextlib
import mmap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.capture.values import Captured, python_version
from nbbatch.errors import BackendError, OptionError, as_disk_error
from nbbatch.options import Options
from nbbatch.wire import items, keys, parts, spec
from nbbatch.wire.envelope import Envelope, Stamp, seal
from nbbatch.wire.graph import Graph
from nbbatch.wire.items import Portion
from nbbatch.wire.spec import JobSpec
from nbbatch.wire.store import Buffer

__all__ = ["Items", "Known", "Packing", "Sender", "Work", "check_array"]

#: Bytes of items that are put together without a file.
_IN_MEMORY = 32 << 20
#: Seconds for which a blob is taken to be in the store without a look.
_SURE = 86400.0


@dataclass(frozen=True)
class Items:
    """What a function is mapped over, sealed for its children; made by `Packing`.

    Attributes
    ----------
    count
        How many items there are.
    chunksize
        How many a child gets; the last one may get fewer.
    children
        How many children there are.
    pieces
        The object that they read.
    sender
        Of the job that they are for.
    identity
        What tells them from other items, where the option ``cache`` asks for that.
    """

    count: int
    chunksize: int
    children: int
    pieces: Sequence[Buffer]
    sender: Sender
    identity: bytes = b""


@dataclass(frozen=True)
class Work:
    """What is to run: a cell or a call, the values that it needs, and where it was written.

    Attributes
    ----------
    say
        Told which step is being taken, where one takes long before the job starts.
    source
        The input of another job, which is sent as it is but for its options.
    retries
        The id of the job of which items are tried again, and which items these are.
    """

    spec: JobSpec
    captured: Captured
    notebook: str = ""
    say: Any = None
    items: Items | None = None
    source: Envelope | None = None
    retries: tuple[str, str] = ("", "")


def check_array(options: Options) -> None:
    """Refuse what can't be asked for an array job.

    Raises
    ------
    OptionError
        Each child would be a multi-node job.
    """
    if options.nodes > 1:
        raise OptionError(
            f"nodes = {options.nodes} can't be used with map",
            "AWS Batch has no array jobs of several nodes",
            "f.submit(x) for each item, or leave out nodes",
        )


class Known(set[str]):
    """Names of blobs that are in the store for sure: for a day, not for a kernel's whole life.

    Whoever tidies up may take away what nothing refers to any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self._since = time.monotonic()

    def __contains__(self, name: object) -> bool:
        if time.monotonic() - self._since > _SURE:
            self.clear()
            self._since = time.monotonic()
        return super().__contains__(name)


class Sender:
    """Writes what one job is sent.

    Parameters
    ----------
    known
        See `nbbatch.wire.parts.pack`.

    Attributes
    ----------
    job
        Its id.
    """

    def __init__(self, store: ClientStore, key: bytes, job: str, known: set[str]) -> None:
        self._store = store
        self._key = key
        self.job = job
        self._known = known
        #: The names of the blobs that were not there before.
        self.sent: set[str] = set()

    def write(self, work: Work, options: Options, libraries: Mapping[str, Any]) -> None:
        """Write the items, if it is an array, then the sealed input."""
        if work.items is not None:
            self._store.put(keys.items(self.job), work.items.pieces)
        stamp = Stamp(self._key, spec.INPUT, self.job)
        asked = _with_options(work.spec, options)
        if work.source is not None:
            found = work.source
            inline = [found.inline(i) for i, part in enumerate(found.parts) if not part.blob]
            pieces = seal(*stamp, asked.meta(), found.parts, inline)
        else:
            described = replace(_with_values(asked, work.captured), libraries=libraries)
            meta, buffers = described.meta(), work.captured.parts()
            pieces = parts.pack(self._store, stamp, meta, buffers, self._known, self.sent)
        self._store.put(keys.input_(self.job), pieces)

    def seal(self, child: int, graph: Graph) -> list[Buffer]:
        """Return what a child gets; its large buffers are in the store from now on."""
        stamp, portion = (
            items.stamp(self._key, self.job, child),
            Portion(graph.meta(), graph.parts()),
        )
        return items.sealed(self._store, stamp, portion, self._known, self.sent)

    def drop(self) -> None:
        """Take back what was sent of a job that need not be started, if anything was."""
        if self.sent:
            self.undo()

    def undo(self) -> None:
        """Take back what was written."""
        self._known -= self.sent
        blobs = map(keys.blob, self.sent)
        self._store.delete([keys.input_(self.job), keys.items(self.job), *blobs])


def _with_options(job: JobSpec, options: Options) -> JobSpec:
    return replace(
        job,
        attempts=options.retries + 1,
        timeout=options.timeout,
        pause=options.minutes_between_retries * 60,
        retry_on=options.retry_on or (),
        asked=options.asked(),
        secrets=options.secrets or (),
        allow_override=options.allow_override,
        lazy=options.lazy,
    )


def _with_values(job: JobSpec, captured: Captured) -> JobSpec:
    return replace(
        job,
        python=python_version(),
        bytecode=captured.graph.bytecode,
        sources={**job.sources, **captured.sources},
        records=tuple(captured.graph.records),
        modules=len(captured.parts()) - 1 if captured.modules else None,
        places=captured.places,
    )


class Packing:
    """Puts together what the children of one array get, as it comes: it need not fit in memory.

    A context: where the array is not started after all, nothing of it is left in the store.

    Parameters
    ----------
    sender
        Of the job that they are for.
    chunksize
        How many items a child gets; the last one may get fewer.
    """

    def __init__(self, sender: Sender, chunksize: int) -> None:
        self._sender = sender
        self._chunksize = chunksize
        self._count = 0
        self._sizes: list[int] = []
        self._spool = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 closed on leaving

    def __enter__(self) -> Packing:  # noqa: PYI034 Python 3.10 has no typing.Self
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._spool.close()
        if kind is not None:
            # What went wrong first is what to tell.
            with contextlib.suppress(BackendError):
                self._sender.undo()

    def add(self, graph: Graph) -> None:
        """Take what the next child gets: one record for each item.

        Raises
        ------
        BackendError
            The store, or this machine's disk, does not take it.
        """
        pieces = self._sender.seal(len(self._sizes), graph)
        try:
            self._spool.writelines(pieces)
        except OSError as error:
            raise as_disk_error(error, "the items can't be put together") from error
        self._sizes.append(sum(memoryview(piece).nbytes for piece in pieces))
        self._count += len(graph.records)

    def finish(self) -> Items:
        """Return all of it."""
        pieces = [items.table(self._sizes), self._body()]
        return Items(self._count, self._chunksize, len(self._sizes), pieces, self._sender)

    def _body(self) -> Buffer:
        if sum(self._sizes) <= _IN_MEMORY:
            self._spool.seek(0)
            return self._spool.read()
        self._spool.flush()
        return memoryview(mmap.mmap(self._spool.fileno(), 0, access=mmap.ACCESS_READ))
