"""A digest of values that is the same in every process, whatever their pickles look like.

Two pickles of the same value differ by what does not count: the order of a set, and that in which
the keys of a dict came; whether two equal texts are one object; the file name, the lines and the
random number that a function or class of a notebook is given with each definition. So values are
walked here, by the same protocol by which they are pickled, and only what counts is digested:

- sets, and dicts, by their elements in the order of the elements' own digests; what is ordered
  (`OrderedDict`, lists) in its order;
- functions by their bytecode, constants, defaults, closure, and the globals that they use;
- classes by their bases and members; what can be imported by its name;
- buffers (arrays) by their bytes; other objects by what `__reduce_ex__` says of them.

That one changeable object is met twice counts (``b is a``), for code may tell the difference.
"""

from __future__ import annotations

import collections
import copyreg
import hashlib
import io
import marshal
import pickle
import types
import typing
from collections.abc import Iterable
from typing import Any, Final

from nbbatch.wire import dynamic
from nbbatch.wire.graph import pickler

__all__ = ["digest_of"]

#: What is written as it is: neither changeable nor made of other values.
_ATOMS: Final = frozenset({bool, bytes, complex, float, int, str, type(None), type(...)})
#: A version of the format without references to what was written before.
_PLAIN: Final = 2
_PROTOCOL: Final = 5
_CODE: Final = (
    *("co_name", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_code"),
    *("co_names", "co_varnames", "co_freevars", "co_cellvars", "co_exceptiontable", "co_consts"),
)
#: What a code object's flags say of how it runs: not what its file imports from `__future__`.
_FLAGS: Final = 0x1FFFF


def digest_of(value: Any, namespace: dict[str, Any] | None = None) -> bytes:
    """Digest a value that pickles.

    Parameters
    ----------
    namespace
        The notebook's: it stands for itself, whatever is in it.

    Raises
    ------
    Exception
        The value can't be digested, though perhaps pickled: too deep, or its own code raised.
    """
    return _Walk(namespace, pickler(io.BytesIO(), namespace), {}).of(value)


class _Walk:
    """One walk.

    Parameters
    ----------
    reducer
        The pickler that knows how objects are taken apart.
    met
        The numbers of the changeable objects that were met before, by their `id`.
    """

    def __init__(self, namespace: dict[str, Any] | None, reducer: Any, met: dict[int, int]) -> None:
        self._namespace = namespace
        self._reducer = reducer
        self._met = met
        self._count = len(met)
        self._hash = hashlib.blake2b(digest_size=32)
        #: Objects made on the way must not make room for others of the same `id`.
        self._held: list[Any] = []

    def of(self, value: Any) -> bytes:
        self._feed(value)
        return self._hash.digest()

    def _write(self, kind: bytes, data: bytes | memoryview = b"") -> None:
        self._hash.update(b"%c%d:" % (kind, len(data)))
        self._hash.update(data)

    def _feed(self, value: Any) -> None:
        if type(value) in _ATOMS:
            self._write(b"a", marshal.dumps(value, _PLAIN))
        elif value is self._namespace:
            self._write(b"n")
        elif type(value) is tuple:
            self._sequence(b"t", value)
        elif isinstance(value, pickle.PickleBuffer):
            self._write(b"b", value.raw())
        elif isinstance(value, frozenset):
            self._unordered(value)
        elif isinstance(value, types.CodeType):
            parts = [getattr(value, name, b"") for name in _CODE]
            self._sequence(b"c", [value.co_flags & _FLAGS, *parts])
        elif isinstance(value, types.ModuleType):
            self._write(b"m", value.__name__.encode())
        else:
            self._once(value)

    def _once(self, value: Any) -> None:
        """Write an object that may be met again, on its own inside or elsewhere."""
        number = self._met.get(id(value))
        if number is not None:
            self._write(b"r", b"%d" % number)
            return
        self._met[id(value)] = self._count
        self._count += 1
        self._held.append(value)
        if type(value) is list:
            self._sequence(b"l", value)
        elif type(value) is dict:
            self._mapping(value.items())
        elif isinstance(value, set):
            self._unordered(value)
        elif isinstance(value, (types.FunctionType, type)):
            self._defined(value)
        elif isinstance(value, typing.TypeVar):
            self._write(b"v", value.__name__.encode())
        else:
            self._object(value)
        if _stands_for_its_value(value):
            # Whether two of them are one object, nobody can tell.
            del self._met[id(value)]

    def _sequence(self, kind: bytes, values: Iterable[Any]) -> None:
        values = list(values)
        if _ATOMS.issuperset(map(type, values)):
            # At once: a list of a million numbers.
            self._write(kind, marshal.dumps(values, _PLAIN))
            return
        self._write(kind, b"%d" % len(values))
        for value in values:
            self._feed(value)

    def _apart(self, value: Any) -> bytes:
        """Digest a value by itself, as if nothing stood beside it."""
        if type(value) in _ATOMS:
            return b"a" + marshal.dumps(value, _PLAIN)
        return b"d" + _Walk(self._namespace, self._reducer, dict(self._met)).of(value)

    def _unordered(self, values: Iterable[Any]) -> None:
        own = vars(values) if hasattr(values, "__dict__") else {}
        self._write(b"s")
        self._feed(type(values))
        for each in sorted(map(self._apart, values)):
            self._write(b"e", each)
        self._mapping(own.items())

    def _mapping(self, items: Iterable[tuple[Any, Any]]) -> None:
        found = sorted(((self._apart(key), value) for key, value in items), key=lambda i: i[0])
        self._write(b"d", b"%d" % len(found))
        for key, value in found:
            self._write(b"k", key)
            self._feed(value)

    def _defined(self, value: Any) -> None:
        name = dynamic.name_of(value)
        if name is not None:
            self._write(b"g", name.encode())
        elif isinstance(value, type):
            self._write(b"T", value.__qualname__.encode())
            self._feed((type(value), value.__bases__))
            self._mapping(dynamic.members_of(value).items())
        else:
            self._function(value)

    def _function(self, value: types.FunctionType) -> None:
        self._write(b"f", value.__name__.encode())
        self._feed(value.__code__)
        self._feed((value.__defaults__, value.__kwdefaults__))
        self._feed([_content(cell) for cell in value.__closure__ or ()])
        self._mapping(value.__dict__.items())
        self._mapping(dynamic.globals_of(value).items())

    def _object(self, value: Any) -> None:
        reduced = self._reduced(value)
        if isinstance(reduced, str):
            home = getattr(value, "__module__", None) or type(value).__module__
            self._write(b"g", f"{home}:{reduced}".encode())
            return
        function, arguments, state, items, pairs, setter = (*reduced, *[None] * 4)[:6]
        self._write(b"o")
        for part in (function, arguments, state, list(items or ()), setter):
            self._feed(part)
        if isinstance(value, collections.OrderedDict):
            self._feed(list(pairs or ()))
        else:
            self._mapping(pairs or ())

    def _reduced(self, value: Any) -> Any:
        reduced = self._reducer.reducer_override(value)
        if reduced is not NotImplemented:
            return reduced
        reduce = self._reducer.dispatch_table.get(type(value)) or copyreg.dispatch_table.get(
            type(value)
        )
        return reduce(value) if reduce is not None else value.__reduce_ex__(_PROTOCOL)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    # A name that is bound later, or never.
    except ValueError:
        return ...


def _stands_for_its_value(value: Any) -> bool:
    """Tell whether it is compared by what it says, and is not to be changed: a date, a path."""
    kind = type(value)
    if isinstance(value, (type, types.FunctionType)):
        return False
    own: Any = kind.__hash__
    return own is not None and own is not object.__hash__
