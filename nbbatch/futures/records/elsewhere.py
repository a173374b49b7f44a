"""What other machines start is looked for as long as somebody looks on here."""

from __future__ import annotations

import threading
import time

from nbbatch.errors import BackendError
from nbbatch.futures.records.shared import Shared

__all__ = ["Elsewhere"]

#: Seconds between two looks, each of which costs a listing a day and two calls for a new job.
_PAUSE = 60.0
#: How far back all looks but the first go.
_DAYS = 2


class Elsewhere:
    """Adds to this machine's registry what others note, in a thread of its own, now and then."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._next = 0.0
        self._days: int | None = None

    def look(self) -> None:
        """Look where that is due; returns at once."""
        if not self._shared.backend.shared:
            return
        with self._lock:
            if time.monotonic() < self._next:
                return
            # None begins while another one is at it.
            self._next = float("inf")
        threading.Thread(target=self._fetch, name="nbbatch-elsewhere", daemon=True).start()

    def _fetch(self) -> None:
        try:
            self._shared.fetch(days=self._days)
            self._days = _DAYS
        # Those that are known here are listed all the same.
        except BackendError:
            pass
        finally:
            self._next = time.monotonic() + _PAUSE
