"""Reads what comes next while what came before is in use: over a network each read is a wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Generic, TypeVar

__all__ = ["Ahead"]

T = TypeVar("T")

#: So many are read at a time, and held.
AT_ONCE = 4


class Ahead(Generic[T]):
    """What is read for some numbers, a few of them beforehand; nothing of it is unpickled here.

    Parameters
    ----------
    read
        Reads one; called from threads of its own, too.
    """

    def __init__(self, read: Callable[[int], T]) -> None:
        self._read = read
        self._begun: dict[int, Future[T]] = {}

    def take(self, number: int, following: Iterable[int] = ()) -> T:
        """Return what is read for a number, and begin to read some that will be asked for next.

        Raises
        ------
        Exception
            What reading it raised.
        """
        found = self._begun.pop(number, None)
        wanted = set(following)
        # What was not taken is not going to be: whoever reads has gone elsewhere.
        self._begun = {n: each for n, each in self._begun.items() if n in wanted}
        for each in sorted(wanted - self._begun.keys()):
            self._begin(each)
        return self._read(number) if found is None else found.result()

    def _begin(self, number: int) -> None:
        future: Future[T] = Future()
        thread = threading.Thread(target=self._run, args=(number, future), name="nbbatch-ahead")
        thread.daemon = True
        try:
            thread.start()
        # The interpreter is about to end, or there is no room for a thread.
        except RuntimeError:
            return
        self._begun[number] = future

    def _run(self, number: int, future: Future[T]) -> None:
        try:
            future.set_result(self._read(number))
        # It is raised again where it was asked for.
        except BaseException as error:
            future.set_exception(error)
