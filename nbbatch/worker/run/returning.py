"""When the results of an executor's calls go back: together, and none waits for a long call."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable, List, Optional, Sequence, Tuple

#: Seconds that a fork waits for what is being sent.
_FORK = 1.0


class Returning:
    """Holds results for a moment, so that those of short calls go together.

    The call that is made meanwhile may take for hours, or wait for what its caller does with a
    result that is held here: a thread sends them then. There is one only while something is held.

    Parameters
    ----------
    send
        Takes the number of some calls, up to which of them they are done, and the results that
        it was not given yet.
    interval
        Seconds for which a result is held, about.
    """

    def __init__(self, send: Callable[[int, int, Sequence[Any]], None], interval: float) -> None:
        self._send = send
        self._interval = interval
        # Reentrant: being asked to end may come anywhere, and what it runs may come back here.
        self._lock = threading.RLock()
        self._held: List[Any] = []
        self._place: Tuple[int, int] = (0, 0)
        self._last = 0.0
        self._wake = threading.Event()
        self._thread: Optional[threading.Thread] = None
        os.register_at_fork(before=self._before_fork)

    def begin(self) -> None:
        """Count the time from now on: the first call of several is about to be made."""
        self._last = time.monotonic()

    def add(self, number: int, upto: int, ended: Any, *, last: bool) -> None:
        """Take what came of a call; the last one's goes at once, with all that are held."""
        with self._lock:
            self._held.append(ended)
            self._place = number, upto
            if last or time.monotonic() - self._last >= self._interval:
                self._send_held()
            elif self._thread is None:
                self._start()

    def _send_held(self) -> None:
        if self._held:
            self._send(*self._place, self._held)
            # Only now: what the store did not take goes with the next ones, which then say why.
            self._held, self._last = [], time.monotonic()

    def _start(self) -> None:
        self._wake.clear()
        self._thread = threading.Thread(target=self._later, name="nbbatch-returning", daemon=True)
        try:
            self._thread.start()
        # No more threads can be had: what is held goes at once.
        except RuntimeError:
            self._thread = None
            self._send_held()

    def _later(self) -> None:
        try:
            while self._once():
                pass
        # The store does not take it now: the next call's end tries again, and says so.
        except OSError:
            self._thread = None

    def _once(self) -> bool:
        """Wait, then send what is held; tell whether to go on."""
        woken = self._wake.wait(self._interval)
        with self._lock:
            held = bool(self._held)
            self._send_held()
            if woken or not held:
                self._thread = None
                return False
        return True

    def _before_fork(self) -> None:
        """Leave no thread that a forked child would miss."""
        thread = self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_FORK)
