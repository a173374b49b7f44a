"""How long an item of a function takes, as earlier maps of it have shown.

A child costs some time itself, and more on AWS than here. How many items are enough for it to be
worth that is learnt: whoever loses the file pays time, never correctness.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nbbatch.futures.array.job import ArrayJob
from nbbatch.notes import Notes

__all__ = ["Durations"]

#: Seconds of work that are enough for a child.
_WORTH = {"local": 1.0, "aws": 30.0}
#: The part of its time limit that they may take.
_PART = 0.25
#: Functions of one store that are remembered; the oldest go first.
_KEPT = 500


class Durations:
    """Seconds of an item, by function, in one small file.

    Parameters
    ----------
    path
        The file, shared by all processes of the user.
    backend, store
        Where the items run: the name of the backend, and the URL of its store.
    """

    def __init__(self, path: Path, backend: str, store: str) -> None:
        self._notes = Notes(path)
        self._worth = _WORTH[backend]
        self._store = store
        self._lock = threading.Lock()

    def enough(self, function: Callable[..., Any], limit: float | None) -> int | None:
        """Return how many items of a function are enough for a child, if that is known.

        Parameters
        ----------
        limit
            Seconds that a child may run, if it has a limit.
        """
        seconds = self._notes.read().get(self._store, {}).get(_name(function))
        if not isinstance(seconds, float):
            return None
        worth = self._worth if limit is None else min(self._worth, limit * _PART)
        return max(1, int(worth / max(seconds, 1e-6)))

    def learn(self, function: Callable[..., Any], job: ArrayJob[Any]) -> None:
        """Note, once the job has succeeded, how long its items took."""
        job.add_done_callback(functools.partial(self._note, _name(function)))

    def _note(self, name: str, job: ArrayJob[Any]) -> None:
        used = job.used
        if not name or job.facts.outcome != "ok" or job.facts.cached or not used.items:
            return
        with self._lock:
            whole = self._notes.read()
            known = {n: each for n, each in whole.get(self._store, {}).items() if n != name}
            known[name] = used.seconds / used.items
            self._notes.write({**whole, self._store: dict(list(known.items())[-_KEPT:])})


def _name(function: Any) -> str:
    """Tell a function from others, and from itself with other code; ``""`` for what has none."""
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    if not isinstance(code, types.CodeType):
        return ""
    digest = hashlib.sha256(f"{inner.__module__}.{inner.__qualname__}".encode())
    for each in _codes(code):
        digest.update(each.co_code)
        plain = [c for c in each.co_consts if isinstance(c, (int, float, str, bytes))]
        digest.update(repr((each.co_names, plain)).encode())
    return digest.hexdigest()[:32]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _codes(each)
