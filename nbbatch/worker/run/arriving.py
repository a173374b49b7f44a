"""Libraries that are unpacked while the code already runs: who wants one waits for it.

A process of its own loads, checks and unpacks them. The code begins as soon as it is known that
nothing is missing: until then the job can start again, with what is sent anew. The import of a
library waits until that library and all that it requires are there; so does whoever asks for its
version. Who lists the folder, or starts a process that may look into it, waits for all of them.

Each library has a mark, a file that the unpacking process holds locked until it has written there
that the library is whole. Should that process die, the system takes the locks away, and whoever
waits learns of it.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import sys
from collections import Counter
from contextlib import suppress
from threading import Lock
from typing import Any, Callable, Dict, Iterable, List, Sequence, Set, Tuple

from nbbatch import errors
from nbbatch.wire.layers import Layer
from nbbatch.worker.run import fetching
from nbbatch.worker.run.fingerprint import normalized
from nbbatch.worker.stores import open_store

#: The folder of the marks; two of them are of no library.
_MARKS, _THERE, _TROUBLE = ".arriving", ".there", ".trouble"
_WHOLE = b"whole"
#: What starts a process. https://docs.python.org/3/library/audit_events.html
_STARTS = frozenset({"os.exec", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"})
_LISTS = frozenset({"os.listdir", "os.scandir"})
#: These list the folder for one name only, and have been told to wait for that.
_FINDERS = ("importlib", "_frozen_importlib", "nbbatch.worker.run.")


class Arrivals:
    """The libraries of a job on their way; a finder that finds nothing itself.

    Parameters
    ----------
    wanted
        All that is to come.
    folder
        Where it goes, on the path already.
    see
        Told when something has come, to put on the path what its ``.pth`` files name.
    """

    def __init__(self, wanted: Sequence[Layer], folder: str, see: Callable[[], None]) -> None:
        self._folder = folder
        self._see = see
        self._requires: Dict[str, Set[str]] = {}
        self._bringing: Dict[str, Set[str]] = {}
        for layer in wanted:
            self._requires.setdefault(layer.name, set()).update(layer.requires)
            for module in layer.modules:
                self._bringing.setdefault(module, set()).add(layer.name)
        self._pending = set(self._requires)
        self._wanted = self._ordered(wanted)

    def start(self) -> None:
        """Begin to fetch; from now on whoever wants a library waits for it."""
        os.mkdir(os.path.join(self._folder, _MARKS))
        held = {
            name: os.open(self._mark(name), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            for name in [*self._pending, _THERE]
        }
        for mark in held.values():
            fcntl.flock(mark, fcntl.LOCK_EX)
        _in_background(lambda: _Fetcher(self._wanted, self._folder, held).run())
        for mark in held.values():
            os.close(mark)
        sys.meta_path.insert(0, self)
        sys.addaudithook(self._heed)
        _wait_in_forks(self.all)

    def there(self) -> None:
        """Wait until it is known that nothing is missing.

        Raises
        ------
        NbbatchError
            Something is, or is not what was sealed.
        """
        self._wait(_THERE)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Let the import of a library wait for it, and for what that requires."""
        if path is None and self._pending:
            self._need(self._closure(self._bringing.get(name, ())))

    def find_distributions(self, context: Any) -> List[Any]:
        """Let who asks for a distribution, or for all of them, wait; see `importlib.metadata`."""
        if self._pending:
            name = getattr(context, "name", None)
            self._need({normalized(name)} if name else self._pending)
        return []

    def all(self) -> None:
        """Wait for all of them."""
        if self._pending:
            self._need(self._pending)

    def _heed(self, event: str, arguments: Tuple[Any, ...]) -> None:
        if not self._pending:
            return
        if event in _STARTS or (event in _LISTS and self._listed(arguments)):
            self.all()

    def _listed(self, arguments: Tuple[Any, ...]) -> bool:
        """Tell whether somebody lists the folder who has not waited yet."""
        asks = sys._getframe(2).f_globals.get("__name__", "")
        return arguments[:1] == (self._folder,) and not asks.startswith(_FINDERS)

    def _need(self, names: Iterable[str]) -> None:
        missing = self._pending.intersection(names)
        for name in missing:
            self._wait(name)
        if missing:
            self._pending -= missing
            # Finders go by the folder's time of change, whose steps are too large.
            importlib.invalidate_caches()
            self._see()

    def _wait(self, name: str) -> None:
        with open(self._mark(name), "rb") as mark:
            fcntl.flock(mark, fcntl.LOCK_SH)
            if mark.read() != _WHOLE:
                raise self._trouble()

    def _trouble(self) -> errors.NbbatchError:
        try:
            with open(self._mark(_TROUBLE), encoding="utf-8") as file:
                kind, *parts = json.load(file)
        except (OSError, ValueError):
            return errors.ProcessDiedError(
                "the job's libraries did not arrive",
                "the process that unpacked them was killed",
                "mostly the memory was too small for it: --memory",
            )
        found: errors.NbbatchError = getattr(errors, kind)(*parts)
        return found

    def _mark(self, name: str) -> str:
        return os.path.join(self._folder, _MARKS, name)

    def _closure(self, names: Iterable[str]) -> Set[str]:
        """Return distributions and all that they require, of those that travel."""
        found: Set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found and name in self._requires:
                found.add(name)
                waiting.extend(self._requires[name])
        return found

    def _ordered(self, wanted: Sequence[Layer]) -> List[Layer]:
        """Return layers so that those come first that let code go on soon.

        What a library requires comes before it, and a small one, with all of that, before a large.
        """
        sizes: Counter[str] = Counter()
        for layer in wanted:
            sizes[layer.name] += layer.size
        weights = {name: sum(sizes[each] for each in self._closure([name])) for name in sizes}
        order: Dict[str, None] = {}

        def add(name: str, above: Set[str]) -> None:
            # Some require each other.
            for each in sorted(self._requires.get(name, ()), key=lambda n: weights.get(n, 0)):
                if each in sizes and each not in order and each not in above:
                    add(each, above | {name})
            order[name] = None

        required = set().union(*self._requires.values())
        for name in sorted(sizes, key=lambda n: (n in required, weights[n], n)):
            add(name, {name})
        places = {name: number for number, name in enumerate(order)}
        return sorted(wanted, key=lambda layer: places[layer.name])


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


class _Fetcher(fetching.Heed):
    """Fetches libraries and writes it on their marks."""

    def __init__(self, wanted: Sequence[Layer], folder: str, marks: Dict[str, int]) -> None:
        self._wanted = wanted
        self._folder = folder
        self._marks = marks
        self._lock = Lock()
        self._left = Counter(layer.name for layer in wanted)

    def run(self) -> None:
        try:
            # A store of its own: a connection must not be shared with a fork.
            # Its threads mostly call what needs no interpreter: none is to wait for another long.
            sys.setswitchinterval(1e-4)
            store = open_store(os.environ)
            fetching.fetch(store, [(each, self._folder) for each in self._wanted], self, late=False)
        except BaseException as error:
            self._tell(errors.as_error(error, "the job's libraries can't be had", _HINT))
            raise
        # What may come late gives way to everything.
        os.nice(19)
        for piece in fetching.late(self._wanted):
            fetching.unpack(fetching.load(store, piece), self._folder)

    def there(self) -> None:
        self._whole(_THERE)

    def unpacked(self, layer: Layer) -> None:
        with self._lock:
            self._left[layer.name] -= 1
            whole = not self._left[layer.name]
        if whole:
            self._whole(layer.name)

    def _whole(self, name: str) -> None:
        os.write(self._marks[name], _WHOLE)
        os.close(self._marks[name])

    def _tell(self, error: errors.NbbatchError) -> None:
        place = os.path.join(self._folder, _MARKS, _TROUBLE)
        with suppress(OSError), open(place, "w", encoding="utf-8") as file:
            json.dump([type(error).__name__, error.what, error.cause, error.hint], file)


_HINT = "give the job more disk (--ephemeral-storage), or an image that has them"


def _wait_in_forks(wait: Callable[[], None]) -> None:
    """Have what starts processes without an audit event wait: `multiprocessing`'s spawn, loky."""
    import _posixsubprocess

    start = _posixsubprocess.fork_exec

    def fork_exec(*arguments: Any) -> Any:
        wait()
        return start(*arguments)

    _posixsubprocess.fork_exec = fork_exec
