"""A cell that ran elsewhere leaves the notebook as if it had run here."""

from __future__ import annotations

import re
import sys
import types
import warnings
from typing import Any

import pytest

from nbbatch.errors import RemoteError
from nbbatch.session import current_session
from nbbatch.wire import keys
from tests.integration.conftest import Notebook


def test_every_way_to_bind_a_name(notebook: Notebook) -> None:
    """Whatever binds a name at top level binds it in the notebook."""
    notebook.run("gone = 1\nkept = 2\naugmented = 3")
    notebook.batch("""
import os.path as path, json
from math import pi as π, tau
assigned = first, *rest = [1, 2, 3]
annotated: int = 4
augmented += 1
def function(): return assigned
class Class: attribute = 1
async def coroutine(): return 1
for loop in range(3): inside_loop = loop
with open("/dev/null") as closed: in_with = 1
try: 1 / 0
except ZeroDivisionError as error: handled = str(error)
[comprehended := i for i in range(4)]
if (walrus := 5) > 4: branch = True
while True:
    broken = 1
    break
match {"key": [1, 2]}:
    case {"key": [one, *others]}: pass
exec("executed = 6")
globals()["by_dict"] = 7
def declare():
    global declared
    declared = 8
declare()
_private = 9
__dunder = 10
lambda_ = lambda: assigned
del gone
nothing = None
""")
    assert notebook["path"] is __import__("os").path
    assert notebook["json"] is sys.modules["json"]
    assert notebook["π"] < notebook["tau"]
    assert (notebook["first"], notebook["rest"]) == (1, [2, 3])
    wanted = {"annotated": 4, "augmented": 4, "loop": 2, "inside_loop": 2, "in_with": 1}
    wanted |= {"handled": "division by zero", "comprehended": 3, "walrus": 5, "branch": True}
    wanted |= {"broken": 1, "one": 1, "others": [2], "executed": 6, "by_dict": 7}
    wanted |= {"declared": 8, "_private": 9, "__dunder": 10, "kept": 2, "nothing": None}
    assert {name: notebook.namespace.get(name, "missing") for name in wanted} == wanted
    assert notebook["function"]() == notebook["lambda_"]() == [1, 2, 3]
    assert notebook["Class"].attribute == 1
    assert "gone" not in notebook
    assert "error" not in notebook
    assert notebook["function"].__globals__ is notebook.namespace


SCIENCE = """
import numpy as np, pandas as pd
class Point:
    shared = [0]
    def __init__(self): self.x = 1
listing, mapping, group = [1], {"a": 1}, {1}
array, frame = np.zeros(5), pd.DataFrame({"a": [1, 2]})
point, buffer = Point(), bytearray(b"abc")
large = np.zeros(500_000)
nested = {"deep": [{"er": [1]}]}
"""


def test_changes_in_place(notebook: Notebook) -> None:
    """Objects that the cell changes are changed here; what it only reads is not touched."""
    notebook.run(SCIENCE + "untouched = np.arange(4); seen = [untouched]")
    before = {name: id(notebook[name]) for name in ("untouched", "seen")}
    notebook.batch("""
listing.append(2); mapping["b"] = 2; group.add(2)
array[2] = 7; frame.loc[0, "a"] = 9; frame["b"] = 1
point.x = 5; Point.shared.append(1); Point.added = lambda self: self.x * 2
buffer[0] = 0; large[-1] = 1; nested["deep"][0]["er"].append(2)
untouched.sum(), seen
""")
    assert notebook["listing"] == [1, 2]
    assert notebook["mapping"] == {"a": 1, "b": 2}
    assert notebook["group"] == {1, 2}
    assert notebook["array"][2] == 7
    assert notebook["frame"].to_dict("list") == {"a": [9, 2], "b": [1, 1]}
    assert notebook["point"].x == 5
    assert notebook["point"].added() == 10
    assert notebook["Point"].shared == [0, 1]
    assert isinstance(notebook["point"], notebook["Point"])
    assert notebook["buffer"] == bytearray(b"\0bc")
    assert notebook["large"][-1] == 1
    assert notebook["nested"] == {"deep": [{"er": [1, 2]}]}
    assert {name: id(notebook[name]) for name in before} == before


def test_aliases(notebook: Notebook) -> None:
    """What was one object stays one; a name that is bound anew takes no other along."""
    notebook.run("""
a = b = [1]
c = d = [2]
e = [3]
holder = {"e": e}
unmentioned = a
rebound = also = [4]
""")
    notebook.batch("""
a.append(10)
c.append(20); f = d
holder["e"].append(30)
g = h = {"new": 1}
rebound = [5]
e, holder
""")
    assert notebook["a"] == [1, 10]
    assert notebook["b"] is notebook["a"]
    assert notebook["unmentioned"] is notebook["a"]
    assert notebook["d"] is notebook["c"] is notebook["f"]
    assert notebook["holder"]["e"] is notebook["e"]
    assert notebook["e"] == [3, 30]
    assert notebook["g"] is notebook["h"]
    assert notebook["rebound"] == [5]
    assert notebook["also"] == [4]


def test_functions_that_live_in_the_notebook(notebook: Notebook) -> None:
    """Functions see the notebook's variables here and there, and change them for all."""
    notebook.run("""
counter, scale = 0, 10
def bump(n):
    global counter, fresh
    counter += n
    fresh = counter * scale
def make():
    total = [0]
    def add(n):
        total[0] += n
        return total[0]
    return add
add = make()
add(1)
def recursive(n): return 1 if n == 0 else n * recursive(n - 1)
""")
    notebook.batch("""
bump(5)
after = add(2)
product = recursive(5)
def later(): return counter * scale
alias = bump
""")
    assert (notebook["counter"], notebook["fresh"]) == (5, 50)
    assert notebook["after"] == 3
    assert notebook["product"] == 120
    assert notebook["add"](1) == 4
    notebook.run("counter = 7\nbump(1)")
    assert notebook["later"]() == 80
    assert notebook["later"].__globals__ is notebook.namespace
    assert notebook["bump"].__globals__ is notebook.namespace
    notebook.batch("shown = later()")
    assert notebook["shown"] == 80


def test_what_can_not_come_back(notebook: Notebook) -> None:
    """Values that do not pickle are named with the reason; the others come back."""
    with pytest.warns(RuntimeWarning) as caught:
        notebook.batch("""
import threading, sys, types
model = {"lock": [threading.Lock()]}
generator = (i for i in range(3))
class Odd:
    __hash__ = None
    def __eq__(self, other): raise ValueError("never compare")
    def __bool__(self): raise ValueError("never ask")
    def __repr__(self): raise ValueError("never show")
    def __getattr__(self, name):
        raise ValueError("never look") if name == "x" else AttributeError(name)
odd = Odd()
frame = sys._getframe()
fine = [odd]
""")
    said = "".join(str(item.message) for item in caught)
    assert "model (dict), at model['lock'][0] (_thread.lock)" in said
    assert "generator (generator)" in said
    assert "frame (frame)" in said
    assert "odd" not in said
    assert notebook["fine"][0] is notebook["odd"]
    assert not {"model", "generator", "frame"} & set(notebook.namespace)
    assert isinstance(notebook["types"], types.ModuleType)


def test_out_names_what_comes_back(notebook: Notebook) -> None:
    """With ``--out`` nothing else comes back, and nothing is compared."""
    notebook.run("changed = [1]\nwanted = [1]")
    notebook.batch("changed.append(2); wanted.append(2); new = 1; other = 2", "--out wanted,new")
    assert notebook["wanted"] == [1, 2]
    assert notebook["new"] == 1
    assert notebook["changed"] == [1]
    assert "other" not in notebook
    with pytest.warns(RuntimeWarning, match="the cell did not bind it"):
        notebook.batch("x = 1", "--out x,absent")
    assert notebook["x"] == 1


def outcome_size() -> int:
    """Return the bytes of the last job's outcome."""
    session = current_session()
    return session.backend.store.size(keys.outcome(next(session.jobs()).id, 1)) or 0


def test_what_is_only_read_is_not_sent_back(notebook: Notebook) -> None:
    """A long list that the cell reads costs nothing on the way back."""
    notebook.run("numbers = list(range(1_000_000))")
    before = id(notebook["numbers"])
    notebook.batch("total = sum(numbers)")
    assert notebook["total"] == 499_999_500_000
    assert id(notebook["numbers"]) == before
    assert outcome_size() < 5000
    blobs = list(current_session().backend.store.list(keys.BLOBS))
    assert len(blobs) == 1


def test_a_cell_that_fails_half_way(notebook: Notebook) -> None:
    """What was bound until then is there, and the traceback is that of the cell."""
    notebook.run("""
log = []
def helper(value):
    log.append("helped")
    return 1 / value
""")
    error = notebook.failing("""
before = 1
log.append("in cell")
try:
    helper(0)
except ZeroDivisionError as problem:
    raise KeyError("wrapped") from problem
after = 2
""")
    assert type(error) is KeyError
    assert type(error.__cause__) is ZeroDivisionError
    assert notebook["before"] == 1
    assert "after" not in notebook
    assert notebook["log"] == ["in cell", "helped"]
    shown = notebook.shown(error)
    assert "nbbatch" not in shown
    assert 'raise KeyError("wrapped") from problem' in shown
    assert "return 1 / value" in shown
    assert "direct cause" in shown
    # The magic's own line counts, as in the notebook.
    assert re.search(r"Cell In\[2\], line 8", shown)
    assert re.search(r"Cell In\[1\], line 4, in helper", shown)


ERRORS = {
    "custom": """
class Custom(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")
raise Custom(1, 2)
""",
    "group": 'raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])',
    "syntax": 'exec("x = = 1")',
    "interrupt": "raise KeyboardInterrupt('by hand')",
    "recursion": "def down(n): return down(n + 1)\ndown(0)",
    "exit": "import sys\nsys.exit(3)",
    "context": "try:\n    {}['a']\nexcept KeyError:\n    int('b')",
    "unpicklable": "import threading\nraise ValueError(threading.Lock())",
    "assertion": "assert 1 == 2, 'unequal'",
    "stop": "raise StopIteration(5)",
}


@pytest.mark.parametrize("kind", ERRORS)
def test_errors(notebook: Notebook, kind: str) -> None:
    """Every exception comes back, as itself or as its text, with the line that raised it."""
    if kind == "group" and sys.version_info < (3, 11):
        pytest.skip("needs Python 3.11")
    error = notebook.failing("done = 1\n" + ERRORS[kind])
    wanted: dict[str, tuple[type[BaseException], str]] = {
        "custom": (RemoteError, "Custom: 1 and 2"),
        "syntax": (SyntaxError, "invalid syntax"),
        "interrupt": (KeyboardInterrupt, "by hand"),
        "recursion": (RecursionError, "maximum recursion depth"),
        "exit": (SystemExit, "3"),
        "context": (ValueError, "invalid literal"),
        "unpicklable": (RemoteError, "ValueError: <unlocked _thread.lock"),
        "assertion": (AssertionError, "unequal"),
        "stop": (StopIteration, "5"),
    }
    if kind == "group":
        assert [type(each) for each in error.exceptions] == [ValueError, KeyError]  # type: ignore[attr-defined]
    else:
        assert type(error) is wanted[kind][0], error
        assert wanted[kind][1] in str(error)
    if kind == "context":
        assert type(error.__context__) is KeyError
    assert notebook["done"] == 1
    line = 3 + ERRORS[kind].rstrip().count("\n")
    shown = notebook.shown(error)
    assert "nbbatch/" not in shown
    assert re.search(rf"-> +{line} ", shown)
    frames = []
    entry = error.__traceback__
    while entry is not None:
        frames.append((entry.tb_frame.f_code.co_name, entry.tb_lineno))
        entry = entry.tb_next
    assert ("<module>", line) in frames


def test_no_warnings_from_ordinary_cells(notebook: Notebook) -> None:
    """Closed files, iterators and locks that the cell dropped are not worth a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notebook.batch("rows = []\nfor row in (i * i for i in range(3)): rows.append(row)\nrows")
    assert notebook["rows"] == [0, 1, 4]


def test_awaits_and_magics(notebook: Notebook) -> None:
    """Top-level await, commands and magics work, and what they bind comes back."""
    notebook.batch("""
import asyncio
async def slow(n):
    await asyncio.sleep(0)
    return n
gathered = await asyncio.gather(slow(1), slow(2))
lines = !echo one; echo two
%env SOME_TEST_VALUE=3
""")
    assert notebook["gathered"] == [1, 2]
    assert list(notebook["lines"]) == ["one", "two"]


def test_the_second_cell_sees_the_first(notebook: Notebook) -> None:
    """Cells go on from each other, here and there by turns."""
    notebook.batch(
        "class Model:\n    def fit(self): self.done = True; return self\nmodel = Model()"
    )
    notebook.batch("fitted = model.fit()")
    assert notebook["fitted"] is notebook["model"]
    assert isinstance(notebook["model"], notebook["Model"])
    notebook.run("assert model.done\nmodel.done = False")
    notebook.batch("state = model.done\nclass Child(Model): pass\nchild = Child()")
    assert notebook["state"] is False
    assert isinstance(notebook["child"], notebook["Model"])


def test_a_job_that_was_detached(notebook: Notebook) -> None:
    """Its variables are in the result, and ``%batch attach`` brings them into the notebook."""
    job: Any = notebook.batch("value = [1]\nprint('said')", "--detach")
    assert job.result(60) == {"value": [1]}
    assert "value" not in notebook
    notebook.run(f"%batch attach {job.id}")
    assert notebook["value"] == [1]


def test_the_first_line_does_not_wait_for_cloudpickle(notebook: Notebook) -> None:
    """A cell that is given plain data starts without it; to return values it is loaded then."""
    notebook.batch("import sys\nloaded = 'cloudpickle' in sys.modules\nnumber = [1]")
    assert notebook["loaded"] is False
    assert notebook["number"] == [1]
