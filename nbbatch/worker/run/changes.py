"""What a cell did to its namespace: names bound, values changed in place, names deleted.

Bound names show by identity. A value that was changed in place shows by its fingerprint: a hash
over its pickle, taken before and after. Large buffers are known from the way in: before, nothing
need be read of them, and after, they are compared with what came, as cheaply as the store can.
"""

from __future__ import annotations

import hashlib
import types
import weakref
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from nbbatch.wire.digest import digest
from nbbatch.wire.graph import pickler

_ATOMS = (int, float, complex, bool, str, bytes, type(None), types.ModuleType)
#: Names that a shell keeps for itself.
_SHELL = frozenset({"In", "Out", "_", "__", "___", "_i", "_ii", "_iii", "_dh", "_oh", "_ih"})


class Original(NamedTuple):
    """A large buffer as it came: its name, and what tells whether one still has those bytes."""

    name: str
    holds: Callable[[memoryview], bool]


#: By address and size of a buffer in memory.
Originals = Dict[Tuple[int, int], Original]


def own(name: str) -> bool:
    """Tell whether a name is the user's, and not the interpreter's or a shell's."""
    return not (name.startswith("__") and name.endswith("__")) and name not in _SHELL


def address(view: memoryview) -> int:
    """Return where a writable buffer lies in memory."""
    # Loaded only for large buffers: a trivial job does not pay for it.
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(view))


class _Hash:
    def __init__(self) -> None:
        self.state = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.state.update(data)
        return len(data)


def fingerprint(
    value: Any, namespace: Dict[str, Any], known: Originals, *, fresh: bool = False
) -> Optional[bytes]:
    """Hash a value's content; None where it does not pickle, and so can't be told unchanged.

    Parameters
    ----------
    fresh
        Whether the buffers in `known` have just come, and so are what they were.
    """
    sink = _Hash()
    buffers: List[str] = []

    def take(buffer: Any) -> bool:
        raw = buffer.raw()
        place = (address(raw), raw.nbytes) if known and not raw.readonly and raw.nbytes else None
        found = known.get(place) if place else None
        if found:
            buffers.append(found.name if fresh or found.holds(raw) else "")
        else:
            buffers.append(digest(raw))
        return False

    try:
        pickler(sink, namespace, with_globals=False, buffer_callback=take).dump(value)
    # Whatever a value's own __reduce__ raises: it is then reported when it is to be returned.
    except Exception:
        return None
    sink.state.update("".join(buffers).encode())
    return sink.state.digest()


def _reference(value: Any) -> Callable[[], Any]:
    """Remember a value's identity, and keep it alive only where there is no other way."""
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value


class Snapshot:
    """The namespace before the cell."""

    def __init__(self, namespace: Dict[str, Any], known: Originals, compare: bool) -> None:
        self._namespace = namespace
        self._known = known
        values = {name: value for name, value in namespace.items() if own(name)}
        self._before = {name: _reference(value) for name, value in values.items()}
        self._prints: Dict[str, Optional[bytes]] = {}
        if compare:
            self._prints = {
                name: fingerprint(value, namespace, known, fresh=True)
                for name, value in values.items()
                if not isinstance(value, _ATOMS)
            }

    def bound(self) -> List[str]:
        """Return the names that are new, or stand for another object than before."""
        now = self._namespace
        return [n for n in now if own(n) and (n not in self._before or self._rebound(n))]

    def changed(self) -> List[str]:
        """Return the names whose value is the same object, changed in place."""
        now = self._namespace
        return [n for n in self._prints if n in now and not self._rebound(n) and self._differs(n)]

    def deleted(self) -> List[str]:
        """Return the names that are gone."""
        return [name for name in self._before if name not in self._namespace]

    def _rebound(self, name: str) -> bool:
        return self._namespace[name] is not self._before[name]()

    def _differs(self, name: str) -> bool:
        before, now = self._prints[name], self._namespace
        return before is None or fingerprint(now[name], now, self._known) != before
