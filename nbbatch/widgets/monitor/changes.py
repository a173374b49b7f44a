"""What has changed about many jobs since a page was told the last time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from nbbatch.facts import JobFacts
from nbbatch.widgets.model.row import row

__all__ = ["Changes"]

#: Seconds after which the row of a live job that costs money is written again.
_COSTS = 15.0


class Changes:
    """Remembers what was sent; numbers the messages, so that a page sees a gap.

    Attributes
    ----------
    seq
        The number of the last message.
    """

    def __init__(self) -> None:
        self.seq = 0
        self._lock = threading.Lock()
        self._sent: dict[str, JobFacts] = {}
        self._at: dict[str, float] = {}
        self._costly: set[str] = set()
        self._unfolded: set[str] = set()
        self._notes: dict[str, str] = {}
        self._stale: set[str] = set()
        self._head: dict[str, Any] = {}
        self._whole = True
        self._first = True

    def again(self) -> None:
        """Send everything with the next message."""
        with self._lock:
            self._whole = True

    def unfold(self, id_: str, open_: bool) -> None:
        """Send a job's parts with its row from now on, or no longer."""
        with self._lock:
            (self._unfolded.add if open_ else self._unfolded.discard)(id_)
            self._stale.add(id_)

    def note(self, notes: Mapping[str, str]) -> None:
        """Say something in the rows of jobs, in the place of their messages, until they end."""
        with self._lock:
            self._notes.update(notes)
            self._stale.update(notes)

    def take(self, found: Sequence[JobFacts], head: dict[str, Any]) -> dict[str, Any] | None:
        """Return the next message; None where there is nothing to say."""
        with self._lock:
            whole = self._whole
            if whole:
                self._sent, self._head = {}, {}
            ids = {facts.id for facts in found}
            gone = sorted(self._sent.keys() - ids)
            fresh = [facts for facts in found if self._differs(facts)]
            self._stale.clear()
            if not (whole or gone or fresh or head != self._head):
                return None
            rows = [self._row(facts) for facts in fresh]
            for id_ in gone:
                del self._sent[id_]
            self._head = dict(head)
            self.seq += 1
            # Only the page that was there from the start sees the first one.
            first, self._whole, self._first = self._first, False, False
            message = {"kind": "rows", "seq": self.seq, "whole": whole, "first": first}
            return {**message, "head": {**head, "now": time.time()}, "rows": rows, "gone": gone}

    def _differs(self, facts: JobFacts) -> bool:
        id_ = facts.id
        # The objects are compared first: mostly they are the same.
        sent = self._sent.get(id_)
        if id_ in self._stale or (sent is not facts and sent != facts):
            return True
        return id_ in self._costly and time.monotonic() - self._at[id_] > _COSTS

    def _row(self, facts: JobFacts) -> dict[str, Any]:
        id_ = facts.id
        self._sent[id_], self._at[id_] = facts, time.monotonic()
        if facts.done:
            self._notes.pop(id_, None)
        made = row(facts, time.time(), parts=id_ in self._unfolded)
        (self._costly.add if made.cost and not made.done else self._costly.discard)(id_)
        data = made.as_json()
        data["note"] = self._notes.get(id_, "")
        return data
