"""What this machine remembers of layers: how they are built of what, and which store has them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from nbbatch.notes import Notes

__all__ = ["Ledger"]

#: Entries of one store; the oldest go first.
_KEPT: Final = 2000

Entries = dict[str, Any]


class Ledger:
    """Values by name for one scope, in one small file; losing it costs time, never correctness.

    Parameters
    ----------
    path
        The file, shared by all processes of the user.
    scope
        What the values depend on: the URL of a store. Those of others are kept and not seen.
    """

    def __init__(self, path: Path, scope: str) -> None:
        self._notes = Notes(path)
        self._scope = scope
        self._lock = threading.Lock()
        self._memory: Entries | None = None

    def get(self, name: str) -> Any:
        """Return a value, or None."""
        with self._lock:
            if self._memory is None:
                self._memory = self._notes.read().get(self._scope, {})
            return self._memory.get(name)

    def add(self, entries: Mapping[str, Any]) -> None:
        """Remember values; other processes' survive."""
        if entries:
            self._change(lambda known: {**known, **entries})

    def clear(self) -> None:
        """Forget all of this scope: something that should be there is not."""
        self._change(lambda known: {})

    def _change(self, change: Callable[[Entries], Entries]) -> None:
        with self._lock:
            whole = self._notes.read()
            changed = change(whole.get(self._scope, {}))
            self._memory = dict(list(changed.items())[-_KEPT:])
            self._notes.write({**whole, self._scope: self._memory})
