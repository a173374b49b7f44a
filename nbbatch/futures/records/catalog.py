"""The registry's records, the newest first: read piece by piece, and again only when changed.

Other kernels write there, too. A look costs one question about the folder; only when something
in it has changed are its names listed, and only new files and those of jobs that have not ended
are read. Ten thousand old records are read a few milliseconds' worth at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from nbbatch.futures.records.registry import Record, Registry

__all__ = ["Catalog"]

#: Records that are found before somebody asks for older ones.
LIMIT = 500
#: Seconds that one look may spend on reading.
_BUDGET = 0.02
#: Nanoseconds within which a folder may change twice and show the same time.
_BLUR = 2_000_000_000


class Catalog:
    """Those records of a registry that somebody wants to see.

    Parameters
    ----------
    wanted
        Tells whether a record is one of them.
    limit
        How many are looked for, the newest first; it may grow.

    Attributes
    ----------
    records
        By id, in no order.
    """

    def __init__(
        self,
        registry: Registry,
        wanted: Callable[[Record], bool],
        limit: int = LIMIT,
        budget: float = _BUDGET,
    ) -> None:
        self.records: dict[str, Record] = {}
        self.limit = limit
        self._registry = registry
        self._wanted = wanted
        self._budget = budget
        self._changed_at = -1
        self._listed_at = 0
        #: Names that have not been read, the oldest first.
        self._unread: list[str] = []
        #: What the file of each job that was read looked like.
        self._read: dict[str, object] = {}

    @property
    def unread(self) -> int:
        """How many older records have not been looked at."""
        return len(self._unread)

    @property
    def searching(self) -> bool:
        """Whether a look would go on to older records."""
        return bool(self._unread) and not self._enough()

    def look(self) -> bool:
        """Take notice of what was written since the last look; tell whether it was anything."""
        listed = self._list() if self._moved() else False
        return self._read_on() or listed

    def _moved(self) -> bool:
        changed_at = self._registry.changed_at()
        # Two changes in a row may leave the same time, so a fresh one is not trusted.
        fresh = self._listed_at - changed_at < _BLUR
        moved = changed_at != self._changed_at or fresh
        self._changed_at = changed_at
        return moved

    def _list(self) -> bool:
        self._listed_at = time.time_ns()
        names = self._registry.names()
        there = set(names)
        gone = self._read.keys() - there
        for name in gone:
            del self._read[name]
            self.records.pop(name, None)
        self._unread = sorted(there - self._read.keys())
        return self._refresh() or bool(gone)

    def _refresh(self) -> bool:
        """Read again what may have changed: the jobs that have not ended."""
        live = [name for name, record in self.records.items() if not record.outcome]
        # All of them, not only up to the first that has changed.
        return sum(self._take(name) for name in live) > 0

    def _read_on(self) -> bool:
        """Read new records, then older ones until there are enough, for as long as is allowed."""
        end = time.monotonic() + self._budget
        found = False
        while self._unread and time.monotonic() < end:
            if self._enough() and self._unread[-1] < self._oldest:
                break
            found |= self._take(self._unread.pop())
        return found

    def _enough(self) -> bool:
        return len(self.records) >= self.limit

    @property
    def _oldest(self) -> str:
        return min(self.records, default="")

    def _take(self, name: str) -> bool:
        mark = self._registry.mark(name)
        if self._read.get(name, self) == mark:
            return False
        self._read[name] = mark
        record = self._registry.get(name)
        if record is None or not self._wanted(record):
            return self.records.pop(name, None) is not None
        self.records[name] = record
        return True
