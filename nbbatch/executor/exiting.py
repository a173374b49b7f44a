"""The program's end: what was submitted is made before, as by `concurrent.futures`' executors."""

from __future__ import annotations

import threading
import weakref
from typing import Protocol

__all__ = ["EXIT", "exiting", "finish", "forget"]

#: When no executor takes calls any more.
EXIT = "interpreter shutdown"


class Pool(Protocol):
    """What is finished then."""

    def close(self, after: str) -> None:
        """Take no more calls."""

    def join(self) -> None:
        """Wait until the last call is done."""


_live: weakref.WeakSet[Pool] = weakref.WeakSet()
#: Pools end on threads of their own while the program does. Reentrant: the collector may run here.
_lock = threading.RLock()
_exiting = False


def finish(pool: Pool) -> None:
    """Have a pool's calls made before the program ends."""
    with _lock:
        _live.add(pool)


def forget(pool: Pool) -> None:
    """Take it that all calls of a pool were made."""
    with _lock:
        _live.discard(pool)


def exiting() -> bool:
    """Tell whether the program is ending."""
    return _exiting


def _exit() -> None:
    global _exiting
    _exiting = True
    with _lock:
        pools = list(_live)
    for pool in pools:
        pool.close(EXIT)
    for pool in pools:
        pool.join()


# As they do: before Python waits for threads, and lets nobody start another one.
threading._register_atexit(_exit)  # type: ignore[attr-defined]
