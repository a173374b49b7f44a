"""Libraries that are unpacked while the code already runs: who wants one waits for it.

The code begins as soon as it is known that nothing is missing: until then the job can start again,
with what is sent anew. The import of a library waits until that library is there, and the shared
libraries that it may load; so does whoever asks for its version. What is waited for comes before
the rest. Who lists the folder waits for all libraries, and who starts a process that may look into
it for everything.

Tests, and what is for compilers, come last: after a while, or when somebody opens or imports one of
them, who waits for them.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import suppress
from typing import Any, Callable, Dict, Iterable, List, Sequence, Set, Tuple

from nbbatch.wire.layers import Layer, late
from nbbatch.worker.run.bringing import LATE, THERE, Marks, bring
from nbbatch.worker.run.fingerprint import normalized

#: What starts a process. https://docs.python.org/3/library/audit_events.html
_STARTS = frozenset({"os.exec", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"})
#: Libraries ask these for what the system has, as they are imported; they look at nothing else.
_BLIND = frozenset({"fc-list", "ldconfig", "lscpu", "nvidia-smi", "uname"})
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
        self._linked = {layer.name for layer in wanted if layer.linked}
        self._pending = {*self._requires, LATE}
        self._marks = Marks(folder)
        self._wanted = self._ordered(wanted)

    def start(self) -> None:
        """Begin to fetch; from now on whoever wants a library waits for it."""
        self._marks.hold([*self._pending, THERE])
        self._told = bring(self._wanted, self._folder, self._marks)
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
        self._marks.wait(THERE)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Let the import of a library wait for it, and for what that may load."""
        if not self._pending:
            return
        if path is None:
            found = self._bringing.get(name, set())
            self._need(found | (self._closure(found) & self._linked))
        elif any(self._is_late(f"{place}/{name.rpartition('.')[2]}/") for place in path):
            self._need({LATE})

    def find_distributions(self, context: Any) -> List[Any]:
        """Let who asks for a distribution, or for all of them, wait; see `importlib.metadata`."""
        if self._pending:
            name = getattr(context, "name", None)
            self._need({normalized(name)} if name else self._requires)
        return []

    def all(self) -> None:
        """Wait for everything."""
        if self._pending:
            self._need(self._pending)

    def _heed(self, event: str, arguments: Tuple[Any, ...]) -> None:
        if not self._pending:
            return
        if event == "open":
            if LATE in self._pending and self._is_late(arguments[0]):
                self._need({LATE})
        elif event in _LISTS:
            if self._listed(arguments):
                self._need(self._requires)
        elif event in _STARTS and not _blind(event, arguments):
            self.all()

    def _is_late(self, path: Any) -> bool:
        """Tell whether a file may not have come with its library."""
        inside = isinstance(path, str) and path.startswith(self._folder + os.sep)
        return inside and late(path[len(self._folder) + 1 :])

    def _listed(self, arguments: Tuple[Any, ...]) -> bool:
        """Tell whether somebody lists the folder who has not waited yet."""
        asks = sys._getframe(2).f_globals.get("__name__", "")
        return arguments[:1] == (self._folder,) and not asks.startswith(_FINDERS)

    def _need(self, names: Iterable[str]) -> None:
        missing = sorted(self._pending.intersection(names))
        if not missing:
            return
        # First what is waited for, then what its import will want.
        wish = dict.fromkeys([*missing, *sorted(self._closure(missing))])
        # Whoever unpacks may be done, or killed: the marks tell.
        with suppress(OSError):
            os.write(self._told, (" ".join(wish) + "\n").encode())
        for name in missing:
            self._marks.wait(name)
        self._pending.difference_update(missing)
        _look_anew(self._folder)
        self._see()

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


def _look_anew(folder: str) -> None:
    """Have Python's finders look into a folder again, and below it.

    They go by a folder's time of change, whose steps are too large. `importlib.invalidate_caches`
    would have them read all other folders again too, and the worker's zip, for each library.
    """
    for place, finder in list(sys.path_importer_cache.items()):
        if not f"{place}{os.sep}".startswith(f"{folder}{os.sep}"):
            continue
        if finder is None:
            del sys.path_importer_cache[place]
        elif hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()
    # From Python 3.10 on it remembers too.
    paths = getattr(sys.modules.get("importlib.metadata"), "FastPath", object)
    if hasattr(paths.__new__, "cache_clear"):
        paths.__new__.cache_clear()


def _blind(event: str, arguments: Tuple[Any, ...]) -> bool:
    """Tell whether what is started is known to look into no library."""
    if event != "subprocess.Popen":
        return False
    program, command = arguments[:2]
    return _name(program or (command if isinstance(command, str) else command[0])) in _BLIND


def _name(program: Any) -> str:
    return os.path.basename(os.fsdecode(program))


def _wait_in_forks(wait: Callable[[], None]) -> None:
    """Have what starts processes without an audit event wait: `multiprocessing`'s spawn, loky."""
    import _posixsubprocess

    start = _posixsubprocess.fork_exec

    def fork_exec(*arguments: Any) -> Any:
        if _name(arguments[1][0]) not in _BLIND:
            wait()
        return start(*arguments)

    _posixsubprocess.fork_exec = fork_exec
