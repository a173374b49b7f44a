"""What a job is sent: its code, the values that it needs, and what each child of an array gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.capture.values import Captured, python_version
from nbbatch.errors import LimitError, OptionError
from nbbatch.options import Options
from nbbatch.wire import items, keys, parts, spec
from nbbatch.wire.envelope import Stamp
from nbbatch.wire.graph import Graph
from nbbatch.wire.items import Portion
from nbbatch.wire.spec import JobSpec

__all__ = ["MOST_CHILDREN", "Items", "Sender", "Work", "check_array"]

#: https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
MOST_CHILDREN = 10_000


@dataclass(frozen=True)
class Items:
    """What a function is mapped over.

    Attributes
    ----------
    count
        How many items there are.
    chunksize
        How many a child gets; the last one may get fewer.
    graphs
        The values, one graph for each child.
    """

    count: int
    chunksize: int
    graphs: Sequence[Graph]


@dataclass(frozen=True)
class Work:
    """What is to run: a cell or a call, the values that it needs, and where it was written."""

    spec: JobSpec
    captured: Captured
    notebook: str = ""
    #: Told which step is being taken, where one takes long before the job starts.
    say: Any = None
    items: Items | None = None


def check_array(items: Items, options: Options) -> None:
    """Refuse what can't be one array job.

    Raises
    ------
    LimitError, OptionError
        There are too many children, or each would be a multi-node job.
    """
    if len(items.graphs) > MOST_CHILDREN:
        least = -(-items.count // MOST_CHILDREN)
        raise LimitError(
            f"{items.count:,} items are too many for one array job",
            f"with chunksize={items.chunksize} it would have {len(items.graphs):,} children, and "
            f"AWS Batch takes {MOST_CHILDREN:,}",
            f"f.map(..., chunksize={least}), or more where an item takes less than a minute",
        )
    if options.nodes > 1:
        raise OptionError(
            f"nodes = {options.nodes} can't be used with map",
            "AWS Batch has no array jobs of several nodes",
            "f.submit(x) for each item, or leave out nodes",
        )


class Sender:
    """Writes what one job is sent.

    Parameters
    ----------
    known
        See `nbbatch.wire.parts.pack`.
    """

    def __init__(self, store: ClientStore, key: bytes, job: str, known: set[str]) -> None:
        self._store = store
        self._key = key
        self._job = job
        self._known = known
        #: The names of the blobs that were not there before.
        self.sent: set[str] = set()

    def write(self, work: Work, options: Options, libraries: Mapping[str, Any]) -> None:
        """Write the items, if it is an array, then the sealed input."""
        if work.items is not None:
            self._write_items(work.items)
        captured = work.captured
        buffers = captured.parts()
        described = replace(
            work.spec,
            python=python_version(),
            bytecode=captured.graph.bytecode,
            attempts=options.retries + 1,
            timeout=options.timeout,
            pause=options.minutes_between_retries * 60,
            retry_on=options.retry_on or (),
            asked=options.asked(),
            sources={**work.spec.sources, **captured.sources},
            records=tuple(captured.graph.records),
            modules=len(buffers) - 1 if captured.modules else None,
            places=captured.places,
            secrets=options.secrets or (),
            allow_override=options.allow_override,
            libraries=libraries,
        )
        stamp = Stamp(self._key, spec.INPUT, self._job)
        pieces = parts.pack(self._store, stamp, described.meta(), buffers, self._known, self.sent)
        self._store.put(keys.input_(self._job), pieces)

    def _write_items(self, found: Items) -> None:
        portions = [Portion(graph.meta(), graph.parts()) for graph in found.graphs]
        pieces = items.pack(self._store, self._key, self._job, portions, self._known, self.sent)
        self._store.put(keys.items(self._job), pieces)

    def undo(self) -> None:
        """Take back what was written."""
        self._known -= self.sent
        blobs = map(keys.blob, self.sent)
        self._store.delete([keys.input_(self._job), keys.items(self._job), *blobs])
