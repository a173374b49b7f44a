"""What is whole of a record that can't be read: the records behind it may share that.

All that a pickle makes goes into the memo, where what follows finds it: a result that can't be
rebuilt here may be the first to name the data type of all arrays. So such a record is read once
more, to its end, with something in the place of what can't be made, and of all that holds it.
"""

from __future__ import annotations

import pickle
from typing import Any, Callable, ClassVar, Dict, List, Mapping, Optional, Sequence, Tuple

#: Instructions that take so many objects and make one, or fill the one before them; None for all
#: down to a mark. https://github.com/python/cpython/blob/main/Lib/pickletools.py
_MAKE: Mapping[bytes, Optional[int]] = {
    pickle.BINGET: 0,
    pickle.LONG_BINGET: 0,
    pickle.STACK_GLOBAL: 2,
    pickle.REDUCE: 2,
    pickle.NEWOBJ: 2,
    pickle.NEWOBJ_EX: 3,
    pickle.TUPLE1: 1,
    pickle.TUPLE2: 2,
    pickle.TUPLE3: 3,
    pickle.TUPLE: None,
    pickle.FROZENSET: None,
}
_FILL: Mapping[bytes, Optional[int]] = {
    pickle.BUILD: 1,
    pickle.APPEND: 1,
    pickle.SETITEM: 2,
    pickle.APPENDS: None,
    pickle.SETITEMS: None,
    pickle.ADDITEMS: None,
}
#: In Python: that in C can't be told what to do.
_Unpickler: Any = pickle._Unpickler


class Memo(Dict[int, Any]):
    """An unpickler's memo in which what is broken can't be had: it raises why."""

    def __init__(self, known: Mapping[int, Any], broken: Mapping[int, Exception]) -> None:
        super().__init__(known)
        self.broken = broken

    def __getitem__(self, key: int) -> Any:
        if key in self.broken:
            raise self.broken[key]
        return super().__getitem__(key)


def salvage(
    source: Any, buffers: Any, known: Mapping[int, Any], broken: Mapping[int, Exception]
) -> Memo:
    """Read a broken record; return the memo that is to be gone on with.

    Parameters
    ----------
    known, broken
        The memo before it, and the numbers of what is broken already.
    """
    reader = _Tolerant(source, buffers=buffers)
    reader.memo = memo = Memo(known, broken)
    reader.load()
    bad = reader.broken()
    new = {number: bad.get(id(memo.get(number))) for number in range(len(known), len(memo))}
    memo.broken = {**broken, **{number: error for number, error in new.items() if error}}
    return memo


class _Nothing:
    """Stands for what can't be made."""


class _Tolerant(_Unpickler):  # type: ignore[misc]
    """Goes on behind what can't be made, and knows what holds it."""

    dispatch: ClassVar[Dict[int, Callable[[Any], None]]] = dict(_Unpickler.dispatch)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Objects are told by their ids, so they are kept.
        self._broken: Dict[int, Tuple[Any, Exception]] = {}
        self._made: List[Tuple[Any, Sequence[Any]]] = []

    def broken(self) -> Dict[int, Exception]:
        """Return the ids of all that is, or holds, what could not be made, each with why."""
        found = {number: error for number, (_, error) in self._broken.items()}
        # Of circles, what was made before it is known that something in them is broken.
        while True:
            held = {
                id(made): found[id(part)]
                for made, parts in self._made
                if id(made) not in found
                for part in parts
                if id(part) in found
            }
            if not held:
                return found
            found.update(held)

    def take(self, load: Callable[[Any], None], count: Optional[int], *, fills: bool) -> None:
        """Obey an instruction, unless something that it takes is broken."""
        stack, marked = self.stack, count is None
        below = self.metastack[-1] if marked else stack
        left = len(below) - (count or 0)
        parts = stack if marked else stack[left:]
        try:
            for part in parts:
                if id(part) in self._broken:
                    raise self._broken[id(part)][1]
            load(self)
        # Whatever making it raises: it was told already, when the record was read.
        except Exception as error:
            if marked and self.stack is stack:
                self.pop_mark()
            del self.stack[left:]
            if not fills:
                self.append(_Nothing())
            self._broken[id(self.stack[-1])] = self.stack[-1], error
        self._made.append((self.stack[-1], parts))

    def load_pop(self) -> None:
        """Drop what a call returned that has given an object its state: the object holds that."""
        made, parts = self._made[-1] if self._made else (None, ())
        given = next((p for m, p in reversed(self._made) if len(parts) == 2 and m is parts[1]), ())
        if given and made is self.stack[-1]:
            self._made.append((given[0], given))
            if id(made) in self._broken:
                self._broken[id(given[0])] = given[0], self._broken[id(made)][1]
        super().load_pop()

    dispatch[pickle.POP[0]] = load_pop


def _tolerant(code: bytes, count: Optional[int], *, fills: bool) -> Callable[[Any], None]:
    load = _Unpickler.dispatch[code[0]]
    return lambda reader: reader.take(load, count, fills=fills)


for _fills, _codes in ((False, _MAKE), (True, _FILL)):
    for _code, _count in _codes.items():
        _Tolerant.dispatch[_code[0]] = _tolerant(_code, _count, fills=_fills)
