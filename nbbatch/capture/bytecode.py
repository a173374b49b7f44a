"""Which globals functions use, as the compiler resolved them.

A code object names exactly the globals that it loads, stores and deletes. The symbol table does
not do: it calls the ``x`` in ``x += 1`` not referenced, and it takes source only, where magics
in a cell leave a changed tree.
"""

from __future__ import annotations

import dis
import sys
from dataclasses import dataclass, field
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "QUERIES",
    "FunctionIndex",
    "Globals",
    "function_globals",
    "index_functions",
    "names_after",
    "uses",
]

_LOADS: Final = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"})
_USES: Final = {
    code: name
    for name, code in dis.opmap.items()
    if name in _LOADS or name in ("STORE_GLOBAL", "DELETE_GLOBAL")
}
#: Whether the lowest bit of LOAD_GLOBAL's argument is a flag.
_PACKED: Final = sys.version_info >= (3, 11)
#: Methods of data frames: pandas looks the ``@name`` in their strings up in its callers' frames.
QUERIES: Final = frozenset({"eval", "query"})


@dataclass
class Globals:
    """The globals that a code object and those inside it use."""

    loads: set[str] = field(default_factory=set)
    stores: set[str] = field(default_factory=set)
    deletes: set[str] = field(default_factory=set)

    def add(self, other: Globals) -> None:
        """Take in what an inner code object uses."""
        self.loads |= other.loads
        self.stores |= other.stores
        self.deletes |= other.deletes


#: By the name and the first line of a function, as its code object has them.
FunctionIndex = dict[tuple[str, int], Globals]


def function_globals(func: Callable[..., Any]) -> set[str]:
    """Return the globals that a Python function's code reads, inner functions included.

    A callable without code of its own (a builtin, a partial) reads none.
    """
    code = getattr(func, "__code__", None)
    return _globals_of(code, {}).loads if isinstance(code, CodeType) else set()


def index_functions(*modules: CodeType) -> FunctionIndex:
    """Find every function in compiled modules, at any depth, and the globals that it uses."""
    index: FunctionIndex = {}
    for code in (code for module in modules for code in _inner(module)):
        _globals_of(code, index)
    return index


def _inner(code: CodeType) -> Iterator[CodeType]:
    return (const for const in code.co_consts if isinstance(const, CodeType))


def _globals_of(code: CodeType, index: FunctionIndex) -> Globals:
    used = _own_globals(code)
    for inner in _inner(code):
        used.add(_globals_of(inner, index))
    # Two lambdas on one line share an entry: each then seems to read what either reads.
    index.setdefault((code.co_name, code.co_firstlineno), Globals()).add(used)
    return used


def _own_globals(code: CodeType) -> Globals:
    used = Globals()
    for use, name in uses(code):
        if use == "STORE_GLOBAL":
            used.stores.add(name)
        else:
            used.loads.add(name)
        if use == "DELETE_GLOBAL":
            used.deletes.add(name)
    # Every class body asks for the name of its module.
    used.loads.discard("__name__")
    if QUERIES & set(code.co_names):
        texts = (const for const in code.co_consts if isinstance(const, str))
        used.loads.update(name for text in texts for name in names_after("@", text))
    return used


def uses(code: CodeType) -> Iterator[tuple[str, str]]:
    """Yield how and by which name each instruction that uses a global does so.

    The same could be had from `dis.get_instructions`, five times slower.
    """
    raw, high = code.co_code, 0
    for at in range(0, len(raw), 2):
        operation, number = raw[at], raw[at + 1] | high
        high = number << 8 if operation == dis.EXTENDED_ARG else 0
        if operation in _USES:
            use = _USES[operation]
            yield use, code.co_names[number >> 1 if use == "LOAD_GLOBAL" and _PACKED else number]


def names_after(mark: str, text: str) -> Iterator[str]:
    """Yield each identifier that follows `mark` directly in `text`."""
    for rest in text.split(mark)[1:]:
        end = next((i for i, c in enumerate(rest) if not (c.isalnum() or c == "_")), len(rest))
        if rest[:end].isidentifier():
            yield rest[:end]
