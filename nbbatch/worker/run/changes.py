"""What a cell did to its namespace: names bound, values changed in place, names deleted.

Bound names show by identity. A value that was changed in place shows by its fingerprint: a hash
over its pickle, taken before and after; the digests of large buffers are known from the way in.
"""

from __future__ import annotations

import hashlib
import types
import weakref
from typing import Any, Callable, Dict, List, Optional, Tuple

from nbbatch.wire.digest import digest
from nbbatch.wire.graph import Pickler

_ATOMS = (int, float, complex, bool, str, bytes, type(None), types.ModuleType)
#: Names that a shell keeps for itself.
_SHELL = frozenset({"In", "Out", "_", "__", "___", "_i", "_ii", "_iii", "_dh", "_oh", "_ih"})

#: Address and size of a buffer in memory, to its digest.
Digests = Dict[Tuple[int, int], str]


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


def fingerprint(value: Any, namespace: Dict[str, Any], known: Digests) -> Optional[bytes]:
    """Hash a value's content; None where it does not pickle, and so can't be told unchanged."""
    sink = _Hash()
    buffers: List[str] = []

    def take(buffer: Any) -> bool:
        raw = buffer.raw()
        place = (address(raw), raw.nbytes) if known and not raw.readonly and raw.nbytes else None
        found = known.get(place) if place else None
        buffers.append(found or digest(raw))
        return False

    try:
        Pickler(sink, namespace, with_globals=False, buffer_callback=take).dump(value)
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

    def __init__(self, namespace: Dict[str, Any], known: Digests, compare: bool) -> None:
        self._namespace = namespace
        values = {name: value for name, value in namespace.items() if own(name)}
        self._before = {name: _reference(value) for name, value in values.items()}
        self._prints: Dict[str, Optional[bytes]] = {}
        if compare:
            self._prints = {
                name: fingerprint(value, namespace, known)
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
        before = self._prints[name]
        return before is None or fingerprint(self._namespace[name], self._namespace, {}) != before
