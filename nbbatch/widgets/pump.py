"""The one thread that moves what views collected to where they are shown.

Views only append, from any thread; every few moments the pump asks each live one to `tick`. So a
job that prints 10,000 lines a second costs as many messages as one that prints ten: a page's
server drops messages of everybody above 1,000 a second.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

__all__ = ["Pump", "Ticking", "shared"]

SECONDS = 0.1
#: All views together send no more than 200 messages a second, two at each tick of one.
SECONDS_EACH = 2 / 200


class Ticking(Protocol):
    """A view that wants to be asked."""

    def tick(self) -> None:
        """Show what was collected since the last time."""


class Pump:
    """Ticks its views from one daemon thread, which lives only while there are any."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._views: list[Ticking] = []
        self._thread: threading.Thread | None = None

    def add(self, view: Ticking) -> None:
        """Serve `view` from now on."""
        with self._changed:
            self._views.append(view)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nbbatch-view", daemon=True)
                self._thread.start()

    def remove(self, view: Ticking) -> None:
        """Serve `view` no longer; a tick of it may still be under way."""
        with self._changed:
            if view in self._views:
                self._views.remove(view)
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                views = list(self._views)
                if not views:
                    self._thread = None
                    return
            for view in views:
                self._tick(view)
            with self._changed:
                pause = max(SECONDS, SECONDS_EACH * len(views))
                self._changed.wait_for(lambda: not self._views, pause)

    def _tick(self, view: Ticking) -> None:
        try:
            view.tick()
        except Exception:
            # A view that can't be drawn must not stop the others, nor the job.
            logging.getLogger(__name__).exception("a view failed and is not updated any more")
            self.remove(view)


#: All views of this process.
shared = Pump()
