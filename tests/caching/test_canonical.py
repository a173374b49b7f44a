"""What is the same value has the same digest, in any process; what is another has another."""

from __future__ import annotations

import collections
import datetime as dt
import os
import subprocess
import sys
import types
from typing import Any

import pytest

from nbbatch.caching.canonical import digest_of

#: A notebook's definitions and values. Run with another hash seed, at other lines of another file,
#: sets are in another order, and classes have other numbers.
PROGRAM = """
import random, sys
seed = int(sys.argv[1])
words = [letter * 3 for letter in "abcdefghijklmnopqrstuvwxyz"]
random.Random(seed).shuffle(words)
source = '''
import dataclasses, enum, abc, typing
limit = {"a", "b", "c"}
class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"
@dataclasses.dataclass
class Point:
    x: int = 1
    colour: Colour = Colour.RED
    tags: set = dataclasses.field(default_factory=set)
    def norm(self): return helper(self.x)
class Port(abc.ABC):
    __slots__ = ("a",)
    @abc.abstractmethod
    def m(self): return super().m()
    @property
    def p(self): return self.a
    @classmethod
    def c(cls): return cls
class Row(typing.NamedTuple):
    a: int
    b: str = "b"
def helper(n, *, m={"k": 1}):
    def inner(k):
        return k in {"x", "y", "z"}
    return n if n < 2 else helper(n - 1) + len(limit)
def maker(n):
    return lambda x: x + n
'''
space = {"__name__": "__main__"}
code = compile("\\n" * seed + source, f"<cell {seed}>", "exec")
exec(code, space)
globals().update(space)
import collections, datetime, decimal, pathlib
import numpy as np, pandas as pd
together = "".join(["a", "b"])
values = dict(
    set=set(words), frozen=frozenset(words), nested={frozenset(words), (1, frozenset(words))},
    dict={word: [word] for word in words},
    default=collections.defaultdict(list, dict.fromkeys(words)),
    counter=collections.Counter(words), text=[together, "ab", together],
    function=helper, method=Point(1).norm, closure=maker(3),
    point=Point(2, Colour.BLUE, set(words)),
    classes=[Colour, Point, Port, Row], row=Row(1), array=np.arange(1000.0)[::2],
    objects=np.array(["x", None, 1], dtype=object), generator=np.random.default_rng(3),
    frame=pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "t": pd.to_datetime(["2020", "2021"])}),
    date=datetime.datetime(2020, 1, 1), money=decimal.Decimal("1.5"), path=pathlib.Path("/x"),
    module=np, numbers=list(range(1000)), text_of=bytearray(b"x"), view=memoryview(b"y"),
)
from nbbatch.caching.canonical import digest_of
import __main__
for name, value in values.items():
    print(name, digest_of(value, vars(__main__)).hex())
print("all", digest_of(values, vars(__main__)).hex())
"""


def test_processes_agree() -> None:
    """Two kernels that define and make the same give it the same digests."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(seed)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        )
        for seed in (1, 7)
    ]
    first, second = (dict(map(str.split, run.communicate()[0].splitlines())) for run in runs)

    assert first == second
    assert len(first) == 25
    assert len(set(first.values())) == len(first)


def defined(source: str) -> Any:
    """Return the `f` that a notebook's cell would define."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, f"<{source}>", "exec", dont_inherit=True), space)
    return space["f"]


ALIKE = {
    "order of a dict": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "one text, or two": (["ab" * 20] * 2, ["ab" * 20, "".join(["ab"] * 20)]),
    "comments": (defined("def f(): return 1"), defined("# why\n\ndef f():\n    return 1  # so")),
    "imports of the future": (
        defined("def f(x: int): return x"),
        defined("from __future__ import annotations\ndef f(x: int): return x"),
    ),
    "a global's order": (
        defined("A = 1\nB = 2\ndef f(): return A + B"),
        defined("B = 2\nA = 1\nC = 3\ndef f(): return A + B"),
    ),
    "one date, or two": (
        [dt.date(2020, 1, 1)] * 2,
        [dt.date(2020, 1, 1), dt.date(2020, 1, 1)],
    ),
}
OTHER = {
    "kind of a number": (1, 1.0),
    "truth": (1, True),
    "kind of a sequence": ([1], (1,)),
    "kind of a set": ({1}, frozenset({1})),
    "order of a list": ([1, 2], [2, 1]),
    "order of an ordered dict": (
        collections.OrderedDict(a=1, b=2),
        collections.OrderedDict(b=2, a=1),
    ),
    "nesting": ([[1], 2], [[1, 2]]),
    "where a text ends": (["ab", "c"], ["a", "bc"]),
    "a constant": (defined("def f(): return 1"), defined("def f(): return 2")),
    "a constant inside": (
        defined("def f(): return lambda: 1"),
        defined("def f(): return lambda: 2"),
    ),
    "a name": (defined("def f(): return a.b"), defined("def f(): return a.c")),
    "a default": (defined("def f(x=1): return x"), defined("def f(x=2): return x")),
    "a global": (defined("A = 1\ndef f(): return A"), defined("A = 2\ndef f(): return A")),
    "a function's global": (
        defined("A = 1\ndef g(): return A\ndef f(): return g()"),
        defined("A = 2\ndef g(): return A\ndef f(): return g()"),
    ),
    "a closure": (
        defined("def m(n): return lambda: n\nf = m(1)"),
        defined("def m(n): return lambda: n\nf = m(2)"),
    ),
    "a method": (
        defined("class f:\n def m(self): return 1"),
        defined("class f:\n def m(self): return 2"),
    ),
    "a base": (defined("class f(int): pass"), defined("class f(str): pass")),
    "what an object holds": (types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
}


@pytest.mark.parametrize("pair", ALIKE.values(), ids=ALIKE.keys())
def test_alike(pair: tuple[Any, Any]) -> None:
    """What code can't tell apart has one digest."""
    assert digest_of(pair[0]) == digest_of(pair[1])


@pytest.mark.parametrize("pair", OTHER.values(), ids=OTHER.keys())
def test_other(pair: tuple[Any, Any]) -> None:
    """What it can has two."""
    assert digest_of(pair[0]) != digest_of(pair[1])


def test_sharing_counts() -> None:
    """Code that changes one of two lists sees whether they are one."""
    one: list[int] = []

    assert digest_of([one, one]) != digest_of([[], []])
    assert digest_of({"a": one, "b": one}) != digest_of({"a": [], "b": []})
    assert digest_of({"b": one, "a": one}) == digest_of({"a": one, "b": one})


def test_circles() -> None:
    """What holds itself is digested, and told from what does not."""
    first: list[Any] = [1]
    first.append(first)
    second: list[Any] = [1]
    second.append(second)

    assert digest_of(first) == digest_of(second) != digest_of([1, [1, []]])


def test_the_notebook_stands_for_itself() -> None:
    """The namespace of the notebook is no value: whatever is in it, what is used travels."""
    space: dict[str, Any] = {"__name__": "__main__", "A": 1}
    exec("def f(): return globals()", space)
    before = digest_of([space["f"], space], space)
    space["B"] = 2

    assert digest_of([space["f"], space], space) == before
