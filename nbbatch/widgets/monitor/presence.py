"""Whether a page still shows what is live: nobody asks a backend for a page that is gone.

A page says every now and then that it is there. A kernel that is busy with a cell does not hear
it, so silence counts only from the moment at which the kernel's main thread was free to listen.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

__all__ = ["Presence", "when_free"]

#: Seconds between two signs of life of a page (page/monitor.js), with some to spare.
PATIENCE = 60.0
#: Seconds that a free kernel takes at most to hear what waits.
_HEARING = 10.0


def when_free(call: Callable[[], None]) -> None:
    """Have `call` made by the kernel's main thread once it is free; elsewhere now."""
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
    if kernel is None:
        call()
    else:
        kernel.io_loop.add_callback(call)


class Presence:
    """Tells whether anybody looks; safe to use from any thread.

    Parameters
    ----------
    free
        Makes a call once whoever hears the page is free to.
    clock
        Seconds, from any beginning.
    """

    def __init__(
        self,
        free: Callable[[Callable[[], None]], None] = when_free,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free = free
        self._clock = clock
        self._lock = threading.Lock()
        self._heard_at = clock()
        self._waiting = False
        self._free_at: float | None = None
        self.visible = True

    def hear(self, visible: bool) -> None:
        """Take a sign of life: the page is open, and seen or hidden."""
        with self._lock:
            self._heard_at = self._clock()
            self._free_at = None
            self.visible = visible

    def gone(self) -> bool:
        """Tell whether the page has been silent for so long that there is none."""
        now = self._clock()
        with self._lock:
            if now - self._heard_at < PATIENCE:
                return False
            if self._free_at is not None:
                return now - self._free_at > _HEARING
            if self._waiting:
                return False
            self._waiting = True
        self._free(self._note)
        return False

    def _note(self) -> None:
        with self._lock:
            self._waiting = False
            if self._clock() - self._heard_at >= PATIENCE:
                self._free_at = self._clock()
