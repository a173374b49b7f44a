"""What came back from each node of a job, unpickled once, in the thread that first asks."""

from __future__ import annotations

import copy
import threading
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.errors import NbbatchError
from nbbatch.futures.returning.ending import Ending
from nbbatch.futures.returning.rebuild import add_note
from nbbatch.futures.returning.results import Results, load
from nbbatch.futures.telling.labels import MAIN
from nbbatch.futures.watching.tracker import Tracker


class Returned:
    """What came back from a job that has ended.

    Parameters
    ----------
    cell
        Whether it was a cell: a function's traceback has a caller here.
    """

    def __init__(self, store: ClientStore, tracker: Tracker, *, cell: bool) -> None:
        self._store = store
        self._tracker = tracker
        self._cell = cell
        self._lock = threading.Lock()
        self._found: dict[int, Results] = {}

    def values(self, ending: Ending) -> list[Any]:
        """Return what each node returned: a cell's variables, a function's value."""
        each = [self._of(node, ending) for node in range(len(self._tracker.strands))]
        return [results.variables if self._cell else results.value for results in each]

    def error(self, ending: Ending) -> BaseException | None:
        """Return what was raised, or why a node's value can't be read."""
        nodes = [ending.node, *range(len(self._tracker.strands))]
        errors = (self._of(node, ending).error for node in nodes)
        return next((error for error in errors if error is not None), None)

    def results(self, ending: Ending) -> Results:
        """Return the main node's, with the error of the node that failed."""
        found = copy.copy(self._of(MAIN, ending))
        found.error = self._of(ending.node, ending).error or found.error
        return found

    def _of(self, node: int, ending: Ending) -> Results:
        with self._lock:
            if node not in self._found:
                try:
                    self._found[node] = self._loaded(node, ending)
                # It is gone, or was altered: nothing of it has been unpickled.
                except NbbatchError as error:
                    self._found[node] = Results()
                    self._found[node].error = error
            return self._found[node]

    def _loaded(self, node: int, ending: Ending) -> Results:
        strand, facts = self._tracker.strands[node], self._tracker.facts
        if strand.outcome is None or strand.envelope is None:
            return Results()
        where = f"job {facts.id} ({facts.name})"
        found = load(self._store, strand.envelope, strand.outcome, where, whole=self._cell)
        if found.error is not None and ending.note:
            add_note(found.error, ending.note)
        return found
