"""What came back from the children of an array: fetched when it is asked for, not kept."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.errors import JobLostError, NbbatchError
from nbbatch.facts import Children
from nbbatch.futures.array.ahead import AT_ONCE, Ahead
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.futures.records.registry import Record
from nbbatch.futures.returning.diagnosis import diagnose
from nbbatch.futures.returning.rebuild import add_note, rebuild
from nbbatch.futures.returning.results import notebook, unreadable
from nbbatch.futures.watching.strand import Strand
from nbbatch.wire import graph, parts, spec

#: What became of an item: its value, or why there is none.
Item = tuple[Any, "BaseException | None"]


class Taken:
    """The items of an array whose children have ended.

    The last child that was read is kept: whoever takes one item after the other reads each once.

    Parameters
    ----------
    record
        What this machine knows of the job.

    Attributes
    ----------
    names
        The indexes of the items in the job that they are of, where that is another one; None
        where they are numbered as they come.
    """

    def __init__(self, store: ClientStore, tracker: ArrayTracker, record: Record) -> None:
        self._store = store
        self._tracker = tracker
        self._lock = threading.Lock()
        self._last: tuple[int, dict[int, Item]] = (-1, {})
        self._ahead = Ahead(self._outcome)
        self.names = numbers(record.retried) if record.retried else None
        #: Whether they are points of a cell: what that raises has no caller here.
        self._swept = record.kind == spec.SWEEP

    @property
    def _shape(self) -> Children:
        return self._tracker.facts.children or Children(0, 0)

    def name(self, index: int) -> int:
        """Return the index of an item in the job that it is of."""
        return index if self.names is None else self.names[index]

    def child_of(self, index: int) -> int:
        """Return the child that an item goes to."""
        return index // self._shape.chunksize

    def items_of(self, child: int) -> range:
        """Return the items that a child gets."""
        first = child * self._shape.chunksize
        return range(first, min(first + self._shape.chunksize, self._shape.items))

    @property
    def _of(self) -> str:
        return f" of {self._shape.items}" if self.names is None else ""

    def item(self, index: int) -> Item:
        """Return what became of an item."""
        return self.of_child(self.child_of(index))[index]

    def of_child(self, child: int) -> dict[int, Item]:
        """Return what became of all items of a child."""
        with self._lock:
            if self._last[0] != child:
                self._last = (child, self._read(child))
            return self._last[1]

    def _read(self, child: int) -> dict[int, Item]:
        indexes = self.items_of(child)
        try:
            strand = self._ahead.take(child, self._following(child))
            lost = self._lost(child, strand)
            found = {} if lost is not None else self._loaded(strand, indexes)
        # It is gone, or was altered: nothing of it has been unpickled.
        except NbbatchError as error:
            return dict.fromkeys(indexes, (None, error))
        return {
            index: found.get(index) or (None, lost or _nothing(self.name(index)))
            for index in indexes
        }

    def _outcome(self, child: int) -> Strand:
        # Read already, to learn what it used: no further call.
        strand = self._tracker.asked.pop(child, None) or self._tracker.strand(child)
        strand.read_outcome()
        self._tracker.used.take(child, strand.outcome)
        return strand

    def _following(self, child: int) -> list[int]:
        """Return the children whose outcomes will be asked for next, by whoever goes in order."""
        if child != self._last[0] + 1 or self._tracker.facts.backend == "local":
            return []
        nearest = range(child + 1, min(child + 1 + AT_ONCE, self._shape.size))
        return [each for each in nearest if self._tracker.roster.is_over(each)]

    def _lost(self, child: int, strand: Strand) -> NbbatchError | None:
        """Return why a child has no values, if it has none."""
        tracker = self._tracker
        outcome = strand.outcome
        over = (spec.OK, spec.ERROR, spec.REFUSED)
        if outcome is None or outcome.status not in over:
            # The backend knows more of its end than the child could say.
            tracker.ask_about(child)
        return diagnose(
            tracker.facts,
            outcome,
            tracker.status_of_child(child),
            cancelled=tracker.cancelled_here,
            place=f"child {child} of {self._shape.size}",
        )

    def _loaded(self, strand: Strand, indexes: range) -> dict[int, Item]:
        outcome = strand.outcome
        if outcome is None:
            return {}
        where = f"job {self._tracker.facts.id} ({self._tracker.facts.name})"
        values: dict[int, Any] = {}
        errors: dict[int, BaseException] = {}
        objects: dict[str, dict[int, BaseException]] = {}
        for record in self._records(strand):
            item, _, number = record.name.rpartition(".")
            if record.role == spec.VALUE and record.error is not None:
                errors[int(record.name)] = unreadable(record.error, where)
            elif record.role == spec.VALUE:
                values[int(record.name)] = record.value
            elif isinstance(record.value, BaseException):
                objects.setdefault(item, {})[int(number)] = record.value
        for index, failures in outcome.items:
            errors[index] = rebuild(failures, objects.get(str(index), {}), where, whole=self._swept)
            item = "point" if self._swept else "item"
            add_note(errors[index], f"raised for {item} {self.name(index)}{self._of}")
        if outcome.status == spec.ERROR and not outcome.items:
            # The child as a whole has failed: it was ended in the middle of an item.
            error = rebuild(outcome.failures, objects.get("", {}), where)
            errors = dict.fromkeys(indexes, error)
        return {
            **{i: (value, None) for i, value in values.items()},
            **{i: (None, error) for i, error in errors.items()},
        }

    def _records(self, strand: Strand) -> list[graph.Loaded]:
        outcome, envelope = strand.outcome, strand.envelope
        if outcome is None or envelope is None or not outcome.records:
            return []
        stream, *rest = range(len(envelope.parts))
        buffers = [parts.read(self._store, envelope, index, lent=True) for index in rest]
        data = parts.read(self._store, envelope, stream)
        return list(graph.load(data, outcome.records, buffers, notebook()))


def _nothing(index: int) -> NbbatchError:
    return JobLostError(
        f"there is no result of item {index}",
        "what its child has left says nothing about it",
        "run it again",
    )


def ranges(numbers: Iterable[int]) -> str:
    """Write numbers that rise, ``3,7-9``, as `numbers` reads them."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in found)


def numbers(text: str) -> array[int]:
    """Read what `ranges` wrote."""
    found = array("Q")
    for each in text.split(","):
        first, _, last = each.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found
