"""Outputs of a notebook: what stands in them, and what is left of them when the kernel ends."""

from __future__ import annotations

import atexit
import contextlib
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Handle", "Parting", "Remains", "part_all", "part_at_exit"]

#: Seconds between two drawings of what would be left, while the state stays the same.
RENEWED = 15.0


class Handle(Protocol):
    """An output that can be replaced."""

    def update(self, obj: Any, **kwargs: Any) -> None:
        """Show `obj` in its place."""


class Parting(Protocol):
    """A live output."""

    def part(self) -> None:
        """Leave something in its place that needs no kernel."""


class Remains:
    """Tells when it is time to draw anew what would be left of a live output."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state, self._at = "", 0.0

    def due(self, state: str) -> bool:
        """Tell whether the state has changed, or much else by now."""
        now = self._clock()
        if state == self._state and now - self._at < RENEWED:
            return False
        self._state, self._at = state, now
        return True


_live: weakref.WeakSet[Any] = weakref.WeakSet()
_registered = False


def part_at_exit(view: Parting) -> None:
    """Have `view` part when this kernel ends: a saved view of a gone widget shows an error."""
    global _registered
    _live.add(view)
    if not _registered:
        # Later than the kernel's own, so run before them: messages still get out.
        atexit.register(part_all)
        _registered = True


def part_all() -> None:
    """Have all live outputs part, and wait until that was sent."""
    for view in list(_live):
        # The kernel ends, whatever became of an output.
        with contextlib.suppress(Exception):
            view.part()
    # A kernel's stdout goes the way of all its messages, in their order.
    sys.stdout.flush()
