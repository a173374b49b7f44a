"""What goes back of an executor's calls, and when: nothing waits for a long call.

Results of short calls go together. The call that is made meanwhile may take for hours, or wait for
what its caller does with a result that is held here, or with a call that was given together with
it: a thread sends what is held, and gives back what was not begun.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import Any, Callable, List, Optional, Sequence

#: Seconds that a fork waits for what is being sent.
_FORK = 1.0

#: Takes the number of some calls, up to which of them they are done, and the results that it was
#: not given yet.
Send = Callable[[int, int, Sequence[Any]], None]
#: Takes the number of some calls, and up to which of them they are made here.
Leave = Callable[[int, int], None]


class Returning:
    """Holds results for a moment, and gives back calls that would wait for long.

    Its thread is there only while something is held, or several calls are left.

    Parameters
    ----------
    interval
        Seconds for which a result is held, about.
    patience
        Seconds after which a call is a long one.
    """

    def __init__(self, send: Send, leave: Leave, interval: float, patience: float) -> None:
        self._send = send
        self._leave = leave
        self._interval = interval
        self._patience = patience
        # Reentrant: being asked to end may come anywhere, and what it runs may come back here.
        self._lock = threading.RLock()
        self._held: List[Any] = []
        #: The calls' number, how many of them are done, and how many are to be.
        self._number, self._done, self._count = 0, 0, 0
        self._untold = False
        #: When something was sent, and when the call was begun that is made now.
        self._last = self._since = 0.0
        self._wake = threading.Event()
        self._thread: Optional[threading.Thread] = None
        os.register_at_fork(before=self._before_fork, after_in_parent=self._attend)

    def begin(self, number: int, done: int, count: int) -> None:
        """Take it that the first of some calls is about to be made that are not done."""
        with self._lock:
            self._number, self._done, self._count = number, done, count
            self._last = self._since = time.monotonic()
        self._attend()

    def add(self, ended: Any) -> bool:
        """Take what came of a call; tell whether the next one is to be made here.

        The last one's goes at once, with all that are held.
        """
        with self._lock:
            self._held.append(ended)
            self._done += 1
            self._since = time.monotonic()
            if self._done >= self._count:
                self._send_held()
            elif self._since - self._last >= self._interval:
                # What the store does not take now goes with what comes later.
                with contextlib.suppress(OSError):
                    self._send_held()
            self._tell_left()
            going_on = self._done < self._count
        self._attend()
        return going_on

    def _send_held(self) -> None:
        if self._held:
            self._send(self._number, self._done, self._held)
            # Only now: what the store did not take goes with the next ones, which then say why.
            self._held, self._last = [], time.monotonic()

    def _give_back(self) -> None:
        """Leave what is behind a long call to others."""
        mine = self._done + 1
        if mine < self._count and time.monotonic() - self._since >= self._patience:
            # Whether the store takes it or not: it may have taken it, and not have said so.
            self._count, self._untold = mine, True
        self._tell_left()

    def _tell_left(self) -> None:
        if self._untold:
            self._leave(self._number, self._count)
            self._untold = False

    # ----------------------------------------------------------------------------- the thread

    def _busy(self) -> bool:
        return bool(self._held) or self._untold or self._done + 1 < self._count

    def _attend(self) -> None:
        """Have a thread where there is something to do for it, and none where there is nothing."""
        with self._lock:
            if not self._busy():
                self._wake.set()
                self._thread = None
            elif self._thread is None:
                self._start()

    def _start(self) -> None:
        self._wake = wake = threading.Event()
        self._thread = threading.Thread(
            target=self._later, args=(wake,), name="nbbatch-returning", daemon=True
        )
        try:
            self._thread.start()
        # No more threads can be had: what is held goes at once.
        except RuntimeError:
            self._thread = None
            self._send_held()

    def _later(self, wake: threading.Event) -> None:
        while not wake.wait(self._interval):
            with self._lock:
                if wake.is_set():
                    return
                # The store does not take it now: the next look tries again, or the call's end,
                # which says so.
                try:
                    self._send_held()
                    self._give_back()
                except OSError:
                    continue
                if not self._busy():
                    self._thread = None
                    return

    def _before_fork(self) -> None:
        """Leave no thread that a forked child would miss; what is held goes before."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        self._wake.set()
        thread.join(_FORK)
        with self._lock:
            self._thread = None
