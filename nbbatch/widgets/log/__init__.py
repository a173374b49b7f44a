"""The text of a job on its way to a view.

==========  =====================================================================
`text`      what a line says: escapes, carriage returns, styles
`lines`     pieces of text to numbered lines
`pending`   what came since the last look: bounded, and cheap per line
`tail`      the last lines as plain text, for the saved notebook and a reload
`spool`     all of it, on disk
`find`      lines and search in the spool
`answers`   what a page may ask about it
==========  =====================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from nbbatch.widgets.log.answers import ASKS, Answer, answer
from nbbatch.widgets.log.pending import Batch, Pending
from nbbatch.widgets.log.spool import Spool
from nbbatch.widgets.log.tail import TAIL_LINES, Tail
from nbbatch.widgets.log.text import Line, encodable, joined, plain

__all__ = ["ASKS", "TAIL_LINES", "Batch", "JobLog", "Line", "Tail", "plain"]

#: Characters that wait at most before they are written to disk.
FLUSH_CHARS = 1 << 19


class JobLog:
    """All that one job has said: written from any thread, taken by one.

    A text waits in memory until the next look, or until there is much of it; so a line costs
    little, and a flood of them costs its writer the time of the disk, not the kernel's memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fresh: list[Line] = []
        self._chars = 0
        self._pending = Pending()
        self._tail = Tail()
        self._seq = 0
        self._count = 0
        self.spool = Spool()

    def write(self, name: str, text: str) -> None:
        """Append a text; `name` is ``stdout`` or ``stderr``."""
        with self._lock:
            self._fresh.append((name, text))
            self._chars += len(text)
            if self._chars > FLUSH_CHARS:
                self._flush()

    def _flush(self) -> None:
        if not self._fresh:
            return
        for name, text in joined(self._fresh):
            self._pending.add(name, text, self.spool.append(name, text))
        self._fresh.clear()
        self._chars = 0

    def take(self) -> dict[str, Any] | None:
        """Return what came since the last time as a message to the page, None for nothing."""
        with self._lock:
            self._flush()
            batch = self._pending.take()
        if batch is None:
            return None
        self._seq += 1
        if batch.fresh:
            self._tail.forget_begun()
        for name, text in batch.parts:
            self._tail.feed(name, text)
        self._count = batch.first + sum(text.count("\n") for _, text in batch.parts)
        return {
            "kind": "log",
            "seq": self._seq,
            "first": batch.first,
            "fresh": batch.fresh,
            "parts": batch.parts,
            "lost": self.spool.lost,
        }

    def tail(self) -> list[Line]:
        """Return the last lines of what was taken."""
        return self._tail.lines()

    def start_again(self) -> dict[str, Any]:
        """Return what a page that is loaded again begins with."""
        return {
            "seq": self._seq,
            "count": self._count,
            "lines": [list(line) for line in self._tail.finished()],
            "begun": [[name, encodable(text)] for name, text in self._tail.begun()],
            "lost": self.spool.lost,
        }

    def answer(self, message: Mapping[str, Any]) -> Answer:
        """Answer what a page asks, one of `ASKS`."""
        return answer(self.spool, message)

    def close(self) -> None:
        """Free the text on disk."""
        self.spool.close()
