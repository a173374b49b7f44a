"""The text form of a value, laid out as a notebook's user is used to see it.

For builtins that is what IPython shows, to the letter.
"""

from __future__ import annotations

import os
import re
import types
from collections import Counter, OrderedDict, UserList, defaultdict, deque
from typing import TYPE_CHECKING, Any, Callable

from nbbatch.worker.notebook.layout import WIDTH, Builder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Longer containers are cut, as in IPython.
LONGEST = 1000


def pretty(value: Any, width: int = WIDTH, floats: str = "") -> str:
    """Return the text of `value`; whatever its ``__repr__`` raises passes through.

    `floats` is the ``%`` format of floats, their ``repr`` where it is empty.
    """
    printer = Printer(width)
    printer.floats = floats
    printer.pretty(value)
    return printer.finish()


class Printer(Builder):
    """Describes values: what IPython hands to an object's ``_repr_pretty_``.

    Attributes
    ----------
    floats
        The ``%`` format of floats; empty for their ``repr``.
    """

    verbose = False
    floats = ""
    max_seq_length = LONGEST

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__(width)
        self.stack: list[int] = []

    def pretty(self, value: Any) -> None:
        """Add a value."""
        cycle = id(value) in self.stack
        self.stack.append(id(value))
        self.begin_group()
        try:
            _describer(value)(value, self, cycle)
        finally:
            self.end_group()
            self.stack.pop()


Describe = Callable[[Any, Printer, bool], None]


def _describer(value: Any) -> Describe:
    kind = _attribute(value, "__class__") or type(value)
    classes: Any = getattr(kind, "__mro__", type(value).__mro__)
    for cls in classes:
        if cls in _TABLE:
            return _TABLE[cls]
        own = cls.__dict__
        if "_repr_pretty_" in own and callable(cls._repr_pretty_):
            custom: Describe = cls._repr_pretty_
            return custom
        if cls is not object and "__repr__" in own and callable(_attribute(cls, "__repr__")):
            return _repr
    return _plain


def _attribute(value: Any, name: str) -> Any:
    """Get an attribute of an object that may raise anything when asked."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def _repr(value: Any, p: Printer, cycle: bool) -> None:
    for number, line in enumerate(repr(value).splitlines()):
        if number:
            p.break_()
        p.text(line)


def _float(value: float, p: Printer, cycle: bool) -> None:
    p.text(p.floats % value if p.floats else repr(value))


def _plain(value: Any, p: Printer, cycle: bool) -> None:
    with p.group(1, "<", ">"):
        p.pretty(type(value))
        p.text(f" at 0x{id(value):x}" + (" ..." if cycle else ""))


def _listed(values: Iterable[Any], p: Printer, add: Callable[[Any], None]) -> None:
    for number, item in enumerate(values):
        if number:
            p.text(",")
            p.breakable()
        if number >= LONGEST:
            p.text("...")
            return
        add(item)


def _sequence(opening: str, close: str) -> Describe:
    def describe(value: Any, p: Printer, cycle: bool) -> None:
        if cycle:
            return p.text(f"{opening}...{close}")
        with p.group(len(opening), opening, close):
            _listed(value, p, p.pretty)
            if len(value) == 1 and isinstance(value, tuple):
                p.text(",")
        return None

    return describe


def _set(opening: str, close: str) -> Describe:
    filled = _sequence(opening, close)

    def describe(value: Any, p: Printer, cycle: bool) -> None:
        if cycle or value:
            filled(_sorted(value) if len(value) < LONGEST else value, p, cycle)
        else:
            p.text(f"{type(value).__name__}()")

    return describe


def _sorted(values: Iterable[Any]) -> list[Any]:
    items = list(values)
    try:
        return sorted(items)
    except Exception:
        # As IPython: what has no order of its own is sorted by nothing at all.
        return items


def _mapping(opening: str, close: str) -> Describe:
    def describe(value: Mapping[Any, Any], p: Printer, cycle: bool) -> None:
        def add(key: Any) -> None:
            p.pretty(key)
            p.text(": ")
            p.pretty(value[key])

        if cycle:
            return p.text("{...}")
        with p.group(len(opening), opening, close):
            _listed(value.keys(), p, add)
        return None

    return describe


#: Text that stands in a call without quotes.
class _Raw(str):
    pass


def _raw(value: _Raw, p: Printer, cycle: bool) -> None:
    p.text(str(value))


def _call(
    p: Printer, name: str, args: Iterable[Any], named: Iterable[tuple[str, Any]] = ()
) -> None:
    def add(item: tuple[str, Any]) -> None:
        key, value = item
        if not key:
            return p.pretty(value)
        with p.group(len(key) + 1, f"{key}="):
            p.pretty(value)
        return None

    with p.group(len(name) + 1, f"{name}(", ")"):
        _listed([*(("", arg) for arg in args), *named], p, add)


def _constructor(arguments: Callable[[Any], list[Any]]) -> Describe:
    def describe(value: Any, p: Printer, cycle: bool) -> None:
        _call(p, type(value).__name__, [_Raw("...")] if cycle else arguments(value))

    return describe


def _deque(value: deque[Any], p: Printer, cycle: bool) -> None:
    named = [] if cycle or value.maxlen is None else [("maxlen", value.maxlen)]
    _call(p, type(value).__name__, [_Raw("...") if cycle else list(value)], named)


def _simple(value: Any, p: Printer, cycle: bool) -> None:
    if cycle:
        _call(p, "namespace", [_Raw("...")])
    else:
        _call(p, "namespace", [], value.__dict__.items())


def _exception(value: BaseException, p: Printer, cycle: bool) -> None:
    _call(p, _name(type(value), type(value).__name__), value.args)


def _name(value: Any, fallback: str) -> str:
    """Return the qualified name, builtins without their module."""
    name = _attribute(value, "__qualname__")
    name = name if isinstance(name, str) else fallback
    module = _attribute(value, "__module__")
    return name if module in (None, "builtins") else f"{module}.{name}"


def _type(value: type, p: Printer, cycle: bool) -> None:
    meta: type = type(value)
    for kind in meta.__mro__:
        if "__repr__" in vars(kind):
            if kind is not type:
                return _repr(value, p, cycle)
            break
    return p.text(_name(value, value.__name__))


def _function(value: Any, p: Printer, cycle: bool) -> None:
    import inspect

    try:
        signature = str(inspect.signature(value))
    except ValueError:
        signature = ""
    p.text(f"<function {_name(value, value.__name__)}{signature}>")


def _super(value: Any, p: Printer, cycle: bool) -> None:
    with p.group(8, "<super: ", ">"):
        p.pretty(value.__thisclass__)
        p.text(",")
        p.breakable()
        p.pretty(value.__self__)


def _pattern(value: Any, p: Printer, cycle: bool) -> None:
    text = _Raw("r" + repr(value.pattern).replace("\\\\", "\\"))
    names = ["IGNORECASE", "LOCALE", "MULTILINE", "DOTALL", "UNICODE", "VERBOSE", "DEBUG"]
    flags = "|".join(f"re.{name}" for name in names if value.flags & getattr(re, name))
    _call(p, "re.compile", [text, _Raw(flags)] if flags else [text])


_TABLE: dict[type, Describe] = {
    **dict.fromkeys([int, str, bytes, range, slice, types.MethodType], _repr),
    float: _float,
    tuple: _sequence("(", ")"),
    list: _sequence("[", "]"),
    dict: _mapping("{", "}"),
    set: _set("{", "}"),
    frozenset: _set("frozenset({", "})"),
    type(os.environ): _mapping("environ{", "}"),
    types.MappingProxyType: _mapping("mappingproxy({", "})"),
    types.SimpleNamespace: _simple,
    types.FunctionType: _function,
    types.BuiltinFunctionType: _function,
    type: _type,
    super: _super,
    BaseException: _exception,
    Counter: _constructor(lambda v: [dict(v.most_common())] if v else []),
    OrderedDict: _constructor(lambda v: [list(v.items())] if v else []),
    UserList: _constructor(lambda v: [v.data]),
    defaultdict: _constructor(lambda v: [v.default_factory, dict(v)]),
    deque: _deque,
    re.Pattern: _pattern,
    _Raw: _raw,
}
