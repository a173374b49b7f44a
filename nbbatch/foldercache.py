"""A cache of what was learnt from folders, valid for as long as nothing in them was changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Final, Generic, TypeVar

__all__ = ["FolderCache"]

T = TypeVar("T")

#: Nanoseconds: a folder that changes twice within them may show one time for both.
_TICK: Final = 100_000_000
#: The time of what is no folder, or not yet.
_NEVER: Final = -1


class FolderCache(Generic[T]):
    """Remembers a value by a key, and asks for it anew once a folder shows another time of change.

    What is learnt while a folder changes, or right after, is not remembered: the next change may
    leave the folder with the same time.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[tuple[tuple[str, int], ...], T]] = {}

    def get(self, key: Hashable, learn: Callable[[], tuple[T, Iterable[str]]]) -> T:
        """Return a value that still holds.

        Parameters
        ----------
        key
            Names it.
        learn
            Finds it out; returns it, and all folders that it depends on.
        """
        known = self._known.get(key)
        if known is not None and known[0] == _times(folder for folder, _ in known[0]):
            return known[1]
        self._known.pop(key, None)
        began = time.time_ns()
        value, folders = learn()
        times = _times(folders)
        if all(began - changed > _TICK for _, changed in times):
            self._known[key] = times, value
        return value


def _times(folders: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple((folder, _changed(folder)) for folder in folders)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return _NEVER
