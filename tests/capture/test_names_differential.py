"""What programs look up when they run is among what the analysis says they read."""

from __future__ import annotations

import builtins
import contextlib
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nbbatch.capture.names import analyse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

NAMES = ("a", "b", "c", "d", "e")
UNLUCKY = 90


class StopError(BaseException):
    """A program has run long enough; none of its handlers stops this."""


class Thing:
    """Takes part in any expression; sometimes it is true, sometimes it fails."""

    __match_args__ = ("x",)

    def __init__(self, luck: Luck) -> None:
        self._luck = luck

    def _step(self, *_arguments: Any, **_options: Any) -> Any:
        self._luck.step()
        return Thing(self._luck)

    __call__ = __add__ = __radd__ = __getitem__ = __enter__ = _step
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Thing(self._luck)

    def __setitem__(self, key: object, value: object) -> None:
        self._luck.step()

    def __iter__(self) -> Iterator[Any]:
        return iter([Thing(self._luck) for _ in range(self._luck.step() % 3)])

    def __bool__(self) -> bool:
        return self._luck.step() % 2 == 0

    def __lt__(self, other: object) -> bool:
        return bool(self)

    def __eq__(self, other: object) -> bool:
        return bool(self)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        # Some context managers swallow errors.
        return kind is not None and issubclass(kind, ValueError) and bool(self)


class Luck:
    """A short supply of numbers; some steps fail, and in the end every one does."""

    def __init__(self, numbers: list[int]) -> None:
        self._numbers = numbers

    def step(self) -> int:
        """Take the next number."""
        if not self._numbers:
            raise StopError
        number = self._numbers.pop()
        if number > UNLUCKY:
            raise ValueError
        return number


class Namespace(dict[str, Any]):
    """Globals that note each lookup of a value that was there at first.

    The interpreter asks a subclass of dict by its own methods, for names and for globals.
    """

    def __init__(self, first: dict[str, Any]) -> None:
        super().__init__(first)
        self.first = dict(first)
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if name in self.first and value is self.first[name]:
            self.seen.add(name)
        return value

    def __delitem__(self, name: str) -> None:
        self[name]
        super().__delitem__(name)


names = st.sampled_from(NAMES)


def _extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    named = st.tuples(names, inner)
    looped = st.tuples(inner, names, inner, inner)
    return st.one_of(
        two.map("({0[0]} + {0[1]})".format),
        two.map("{0[0]}({0[1]})".format),
        two.map("({0[0]} and {0[1]})".format),
        two.map("[{0[0]}, *{0[1]}]".format),
        two.map("{{{0[0]}: {0[1]}}}".format),
        names.map("f'{{{0}}}'".format),
        two.map("({0[0]})[{0[1]}]".format),
        st.tuples(inner, inner, inner).map("({0[0]} if {0[1]} else {0[2]})".format),
        st.tuples(inner, inner, inner).map("({0[0]} < {0[1]} < {0[2]})".format),
        named.map("({0[0]} := {0[1]})".format),
        named.map("({0[1]} and ({0[0]} := 1))".format),
        named.map("({0[1]} if {0[1]} else ({0[0]} := 1))".format),
        named.map("(lambda {0[0]}: {0[1]})".format),
        named.map("(lambda: {0[1]})()".format),
        looped.map("[{0[0]} for {0[1]} in {0[2]} if {0[3]}]".format),
        looped.map("list({0[0]} for {0[1]} in {0[2]} if {0[3]})".format),
    )


expressions = st.recursive(names, _extend, max_leaves=5)
targets = st.one_of(names, st.tuples(names, names).map(", ".join))


def _block(statements: list[str]) -> str:
    return textwrap.indent("\n".join(statements), "  ")


@st.composite
def _compound(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """Draw a statement that holds others."""

    def block() -> str:
        return _block(draw(st.lists(inner, min_size=1, max_size=3)))

    first, name = draw(expressions), draw(names)
    other = draw(names)
    forms = [
        lambda: f"if {first}:\n{block()}\nelse:\n{block()}",
        lambda: f"if {first}:\n{block()}",
        lambda: f"for {draw(targets)} in {first}:\n{block()}\nelse:\n{block()}",
        lambda: f"for {name} in {first}:\n{block()}\n  if {other}: break\nelse:\n{block()}",
        lambda: f"for {name} in {first}:\n  if {other}: continue\n{block()}",
        lambda: f"while tick() and {first}:\n{block()}",
        lambda: f"with {first} as {name}, {other}:\n{block()}",
        lambda: f"with {first} as {draw(targets)}:\n{block()}",
        lambda: f"with {first}:\n  if {other}: raise ValueError\n{block()}",
        lambda: f"try:\n  if {other}: raise ValueError\n{block()}\nexcept ValueError: {name}",
        lambda: f"try:\n{block()}\nexcept ValueError as {name}:\n{block()}\nelse:\n{block()}",
        lambda: f"try:\n{block()}\nexcept Exception:\n{block()}\nfinally:\n{block()}",
        lambda: f"try:\n{block()}\nfinally:\n{block()}",
        lambda: f"match {first}:\n  case [{name}] if {other}: {name}\n  case {other}: pass",
        lambda: f"match {first}:\n  case 1: {name} = 1\n  case [{name}, *{other}]: pass",
        lambda: f"def {name}({other}={first}):\n  tick()\n{block()}",
        lambda: f"def {name}():\n  tick()\n{block()}",
        lambda: f"def {name}():\n  global {other}\n  tick()\n{block()}",
        lambda: (
            f"def {name}():\n  tick()\n{block()}\ndef {other}():\n  tick()\n{block()}\n{name}()"
        ),
        lambda: f"class {name}:\n{block()}",
        lambda: f"class {name}:\n  def {other}():\n    return {name}, {first}\n  {other}()",
        lambda: f"class {name}:\n  def {other}():\n    return {first}\n{block()}",
        lambda: f"class {name}:\n  global {other}\n{block()}",
    ]
    return draw(st.sampled_from(forms))()


simple = st.one_of(
    expressions,
    st.tuples(targets, expressions).map(" = ".join),
    st.tuples(names, expressions).map(" += ".join),
    st.tuples(names, expressions, expressions).map("{0[0]}[{0[1]}] = {0[2]}".format),
    st.tuples(names, expressions, expressions).map("{0[0]}: {0[1]} = {0[2]}".format),
    names.map("del {}".format),
    names.map("{}()".format),
    names.map("{} = 1".format),
    names.map("import math as {}".format),
    expressions.map("assert {}".format),
    st.just("raise ValueError"),
)
statements = st.recursive(simple, _compound, max_leaves=8)
#: In the end each name is looked up once, so that one that only seems bound is found out.
LAST = [f"try:\n  {name}\nexcept NameError:\n  pass" for name in NAMES]
programs = st.lists(statements, min_size=1, max_size=6).map(lambda some: "\n".join(some + LAST))
luck = st.lists(st.integers(0, 99), min_size=5, max_size=60)


def _compiled(source: str) -> CodeType | None:
    """Compile a drawn program; some are none (names declared global after use, and the like)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return compile(source, "<program>", "exec", dont_inherit=True)
        except SyntaxError:
            return None


def _around(luck: Luck) -> dict[str, Any]:
    """Return what every program needs; by `tick`, loops and recursions come to an end."""
    return {"__builtins__": vars(builtins), "__name__": "cell", "tick": luck.step}


def _run(code: CodeType, namespace: dict[str, Any]) -> None:
    # A program may fail in any way: what it did until then counts.
    with contextlib.suppress(Exception, StopError):
        exec(code, namespace)


def _looked_up(code: CodeType, numbers: list[int]) -> set[str]:
    supply = Luck(list(numbers))
    namespace = Namespace({name: Thing(supply) for name in NAMES})
    namespace.update(_around(supply))
    _run(code, namespace)
    return namespace.seen


@pytest.mark.thorough
@settings(max_examples=120, deadline=None)
@given(programs, luck)
def test_whatever_is_looked_up_is_read(source: str, numbers: list[int]) -> None:
    """No run looks up a name from around the cell that the analysis has not found."""
    code = _compiled(source)
    assume(code is not None)
    assert code is not None

    assert _looked_up(code, numbers) <= analyse(source).reads


@pytest.mark.thorough
@settings(max_examples=100, deadline=None)
@given(programs, luck)
def test_whatever_is_bound_is_among_the_binds(source: str, numbers: list[int]) -> None:
    """No run binds or deletes a name that the analysis has not found."""
    code = _compiled(source)
    assume(code is not None)
    assert code is not None
    supply = Luck(list(numbers))
    first = {name: Thing(supply) for name in NAMES}
    after: dict[str, Any] = {**first, **_around(supply)}
    _run(code, after)
    found = analyse(source)

    bound = {name for name in NAMES if name in after and after[name] is not first[name]}
    gone = {name for name in NAMES if name not in after}
    assert bound <= found.binds
    # The name of a caught exception is deleted by binding it.
    assert gone <= found.deletes | found.binds


def test_the_namespace_notes_globals_of_functions() -> None:
    """The harness itself sees lookups from functions, and none of what was bound since."""
    code = _compiled("def f(): return a\nb = 1\nb\nf()")

    assert code is not None
    assert _looked_up(code, [1] * 9) == {"a"}
