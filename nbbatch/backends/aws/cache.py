"""Facts that save calls, in one small file; losing it costs a call, never correctness."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.notes import Notes

if TYPE_CHECKING:
    from collections.abc import Callable

#: Of each kind; the oldest go first.
_KEPT = 200


class Cache:
    """Values by kind and name, in memory and on disk; thread-safe.

    Parameters
    ----------
    path
        The file, shared by all processes; a write replaces it whole.
    scope
        What the values depend on: values of other scopes are kept and not seen.
    """

    def __init__(self, path: Path, scope: str, clock: Callable[[], float] = time.time) -> None:
        self._notes = Notes(path)
        self._scope = scope
        self._clock = clock
        self._lock = threading.Lock()
        self._memory: dict[str, Any] | None = None

    def get(self, kind: str, name: str, max_age: float = float("inf")) -> Any:
        """Return a value not older than `max_age` seconds, or None."""
        with self._lock:
            if self._memory is None:
                self._memory = self._mine(self._notes.read())
            entry = self._memory.get(kind, {}).get(name)
        if entry is None or self._clock() - entry["at"] > max_age:
            return None
        return entry["value"]

    def set(self, kind: str, name: str, value: Any) -> None:
        """Keep a value; other processes' newer entries survive."""
        self._change(kind, lambda entries: entries | {name: {"at": self._clock(), "value": value}})

    def forget(self, kind: str, name: str) -> None:
        """Drop a value that turned out to be wrong."""
        self._change(kind, lambda entries: {k: v for k, v in entries.items() if k != name})

    def _change(self, kind: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        with self._lock:
            whole = self._notes.read()
            # What this process learned counts even where the file could not be written.
            mine = {**self._mine(whole), **(self._memory or {})}
            known = {**self._mine(whole).get(kind, {}), **(self._memory or {}).get(kind, {})}
            newest = sorted(change(known).items(), key=lambda item: item[1]["at"])[-_KEPT:]
            self._memory = {**mine, kind: dict(newest)}
            self._notes.write({**whole, self._scope: self._memory})

    def _mine(self, whole: dict[str, Any]) -> dict[str, Any]:
        found = whole.get(self._scope, {})
        return {k: dict(v) for k, v in found.items()} if isinstance(found, dict) else {}
