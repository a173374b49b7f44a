"""The process that brings a job's libraries, and the marks by which others see how far it is.

Each library has a mark, a file that this process holds locked until it has written there that the
library is whole. Should the process die, the system takes the locks away, and whoever waits learns
of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections import Counter
from contextlib import suppress
from threading import Lock, Thread
from typing import Callable, Dict, Iterable, Sequence

from nbbatch import errors
from nbbatch.wire.layers import Layer
from nbbatch.worker.run import fetching
from nbbatch.worker.stores import open_store

__all__ = ["LATE", "THERE", "Marks", "bring"]

#: Marks of no library: that nothing is missing, and that what may come late has come.
THERE, LATE = ".there", ".late"
_FOLDER, _TROUBLE = ".arriving", ".trouble"
_WHOLE = b"whole"
#: Bytes that are kept free for that: it may be a full disk that is the trouble.
_ROOM = 4096
#: Seconds for which what may come late leaves the CPUs and the network to the code, unless somebody
#: waits for it; the job may have ended by then.
_PATIENCE = 5.0
_HINT = "give the job more disk (--ephemeral-storage), or an image that has them"


class Marks:
    """Files in a folder of libraries that tell which of these are whole.

    Parameters
    ----------
    folder
        Where the libraries go.
    """

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, _FOLDER)
        self._held: Dict[str, int] = {}

    def hold(self, names: Iterable[str]) -> None:
        """Have whoever waits for these wait, for this process and one that it forks."""
        os.mkdir(self._folder)
        with open(self._path(_TROUBLE), "w", encoding="utf-8") as file:
            file.write(" " * _ROOM)
        for name in names:
            mark = os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(mark, fcntl.LOCK_EX)
            self._held[name] = mark

    def leave(self) -> None:
        """Leave them to the fork."""
        for mark in self._held.values():
            os.close(mark)

    def whole(self, name: str) -> None:
        """Let go on whoever waits for this."""
        os.write(self._held[name], _WHOLE)
        os.close(self._held[name])

    def tell(self, error: errors.NbbatchError) -> None:
        """Say why some will never be whole."""
        with suppress(OSError), open(self._path(_TROUBLE), "r+", encoding="utf-8") as file:
            json.dump([type(error).__name__, error.what, error.cause, error.hint], file)

    def wait(self, name: str) -> None:
        """Wait until it is whole.

        Raises
        ------
        NbbatchError
            It will never be.
        """
        with open(self._path(name), "rb") as mark:
            fcntl.flock(mark, fcntl.LOCK_SH)
            if mark.read() != _WHOLE:
                raise self._trouble()

    def _trouble(self) -> errors.NbbatchError:
        try:
            with open(self._path(_TROUBLE), encoding="utf-8") as file:
                kind, *parts = json.load(file)
        except (OSError, ValueError):
            return errors.ProcessDiedError(
                "the job's libraries did not arrive",
                "the process that unpacked them was killed",
                "mostly the memory was too small for it: --memory",
            )
        found: errors.NbbatchError = getattr(errors, kind)(*parts)
        return found

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)


def bring(wanted: Sequence[Layer], folder: str, marks: Marks) -> int:
    """Begin to fetch in a process of its own, which takes over the marks.

    Returns
    -------
    int
        A file to write to, a line of names at a time, what is to come before all else. The process
        ends once nobody has it open any more.
    """
    heard, told = os.pipe()

    def work() -> None:
        os.close(told)
        order = fetching.Order()
        Thread(target=_listen, args=(heard, order), daemon=True).start()
        _Bringer(wanted, folder, marks, order).run()

    _in_background(work)
    os.close(heard)
    marks.leave()
    return told


def _listen(heard: int, order: fetching.Order) -> None:
    with os.fdopen(heard, encoding="utf-8") as lines:
        for line in lines:
            order.prefer(line.split())
    # There is nobody left who could wait.
    os._exit(0)


def _in_background(work: Callable[[], None]) -> None:
    """Do something in a process that is nobody's child: the code may wait for its own."""
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    try:
        if not os.fork():
            work()
    # It has said what there was to say.
    except BaseException:
        pass
    finally:
        os._exit(0)


class _Bringer(fetching.Heed):
    """Fetches libraries and writes it on their marks."""

    def __init__(
        self, wanted: Sequence[Layer], folder: str, marks: Marks, order: fetching.Order
    ) -> None:
        self._wanted = [(each, folder) for each in wanted]
        self._marks = marks
        self._order = order
        self._lock = Lock()
        self._left = Counter(layer.name for layer in wanted)

    def run(self) -> None:
        try:
            # A store of its own: a connection must not be shared with a fork.
            # Its threads mostly call what needs no interpreter: none is to wait for another long.
            sys.setswitchinterval(1e-4)
            store = open_store(os.environ)
            fetching.fetch(store, self._wanted, self, late=False, order=self._order)
            self._order.wanted(LATE).wait(_PATIENCE)
            # It gives way to everything all the same.
            os.nice(19)
            fetching.fetch(store, self._wanted, late=True)
        except BaseException as error:
            self._marks.tell(errors.as_error(error, "the job's libraries can't be had", _HINT))
            raise
        self._marks.whole(LATE)

    def there(self) -> None:
        self._marks.whole(THERE)

    def unpacked(self, layer: Layer) -> None:
        with self._lock:
            self._left[layer.name] -= 1
            whole = not self._left[layer.name]
        if whole:
            self._marks.whole(layer.name)
