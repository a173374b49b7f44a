"""The graph: sharing, buffers out of band, functions in their namespace, failures apart."""

from __future__ import annotations

import pickle
import sys
import threading
import types
from typing import Any

import numpy as np
import pytest

from nbbatch.wire import graph
from nbbatch.wire.blame import blame, sentence


def again(found: graph.Graph, namespace: dict[str, Any] | None = None) -> dict[str, Any]:
    """Load a graph as the other side does; raise the first error."""
    buffers = [bytearray(view) for view in found.buffers]
    loaded = {}
    for record in graph.load(bytes(found.stream), found.records, buffers, namespace):
        if record.error is not None:
            raise record.error
        loaded[record.name] = record.value
    return loaded


def variables(**values: Any) -> list[graph.Item]:
    return [("variable", name, value) for name, value in values.items()]


def test_shared_objects_stay_shared() -> None:
    """If ``b is a`` before, ``b is a`` after, across variables."""
    a = [1, 2]
    loaded = again(graph.dump(variables(a=a, b=a, c={"a": a})))

    assert loaded["b"] is loaded["a"]
    assert loaded["c"]["a"] is loaded["a"]


def test_arrays_travel_out_of_band_and_stay_writable() -> None:
    """A large array is a view into its own memory on the way out, and writable on arrival."""
    array = np.arange(100_000.0)
    found = graph.dump(variables(array=array, small=np.arange(3)))
    loaded = again(found)

    assert len(found.buffers) == 1
    assert np.shares_memory(np.frombuffer(found.buffers[0]), array)
    assert found.stream.nbytes < 2_000
    assert loaded["array"].flags.writeable
    assert np.array_equal(loaded["array"], array)


def test_fortran_order_and_read_only_stay() -> None:
    """An array's order and its write protection survive."""
    fortran = np.asfortranarray(np.ones((200, 200)))
    frozen = np.ones(20_000)
    frozen.flags.writeable = False
    loaded = again(graph.dump(variables(fortran=fortran, frozen=frozen)))

    assert loaded["fortran"].flags.f_contiguous
    assert not loaded["frozen"].flags.writeable


def notebook() -> dict[str, Any]:
    """Make a namespace like a notebook's, with functions that live in it."""
    module = types.ModuleType("__main__")
    exec(
        "step = 2\ndef g(): return step\ndef f(): return g() + 1\nunused = object()",
        vars(module),
    )
    return vars(module)


def test_functions_live_in_the_readers_namespace() -> None:
    """A notebook's function reads the globals of the namespace that it arrives in."""
    here = notebook()
    there: dict[str, Any] = {}
    loaded = again(graph.dump(variables(f=here["f"]), here), there)

    assert loaded["f"]() == 3
    assert loaded["f"].__globals__ is there
    assert there["step"] == 2
    assert "unused" not in there
    there["step"] = 10
    assert loaded["f"]() == 11


def test_functions_come_back_without_their_globals() -> None:
    """On the way back a function brings no copies of what the notebook has itself."""
    there = notebook()
    here: dict[str, Any] = {"step": 7, "g": lambda: 0}
    loaded = again(graph.dump(variables(f=there["f"]), there, with_globals=False), here)

    assert loaded["f"].__globals__ is here
    assert here["step"] == 7


def test_what_does_not_pickle_is_left_out_alone() -> None:
    """A tolerant dump keeps the others, and the sharing between them."""
    a = [1]
    found = graph.dump(variables(a=a, bad=[a, threading.Lock()], b=a), tolerant=True)
    loaded = again(found)

    assert [name for _, name, _, _ in found.failures] == ["bad"]
    assert loaded["b"] is loaded["a"]


def test_a_strict_dump_names_the_item() -> None:
    """Without tolerance the error carries the item that failed."""
    with pytest.raises(TypeError) as caught:
        graph.dump(variables(good=1, bad=threading.Lock()))

    assert caught.value.nbbatch_item[1] == "bad"  # type: ignore[attr-defined]


class Grenade:
    """Pickles, and does not unpickle."""

    def __reduce__(self) -> Any:
        return int, ("not a number",)


def test_what_does_not_load_is_left_out_alone() -> None:
    """A record that can't be read does not take those after it along, nor their sharing."""
    a = np.ones(50_000)
    found = graph.dump(variables(a=a, bad=[Grenade(), np.ones(50_000)], b=a, c=np.ones(30_000)))
    buffers = [bytearray(view) for view in found.buffers]
    loaded = {r.name: r for r in graph.load(bytes(found.stream), found.records, buffers)}

    assert isinstance(loaded["bad"].error, ValueError)
    assert loaded["b"].value is loaded["a"].value
    assert loaded["c"].value.sum() == 30_000


def loaded(**values: Any) -> dict[str, graph.Loaded]:
    """Return what becomes of each value on the other side."""
    found = graph.dump(variables(**values), vars(sys.modules["__main__"]))
    buffers = [bytearray(view) for view in found.buffers]
    return {r.name: r for r in graph.load(bytes(found.stream), found.records, buffers)}


class Gone:
    """Is of a module that the reader lacks."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have `Gone` in a module that the writer can import, and the reader can't."""
    module = types.ModuleType("gone_library")
    module.Gone = Gone  # type: ignore[attr-defined]
    monkeypatch.setattr(Gone, "__module__", "gone_library")
    monkeypatch.setitem(sys.modules, "gone_library", module)
    dump = graph.dump

    def then_gone(*args: Any) -> graph.Graph:
        found = dump(*args)
        monkeypatch.delitem(sys.modules, "gone_library")
        return found

    monkeypatch.setattr(graph, "dump", then_gone)


def test_what_is_whole_of_the_unreadable_is_shared(library: None) -> None:
    """Parts that were first met in a broken value are those of the next: strings, types, arrays."""
    part, table = ["part"], np.arange(5)
    found = loaded(
        a=Gone(np.arange(3), "x", part, table, np.ones(50_000)),
        b={"part": part, "table": table},
        name="x",
        other=Gone("y", part),
        numbers=np.arange(4),
        large=np.ones(50_000),
        last=["x", "y", part],
    )

    assert [n for n, r in found.items() if r.error is not None] == ["a", "other"]
    assert all("gone_library" in str(found[name].error) for name in ("a", "other"))
    assert found["name"].value == "x"
    assert found["last"].value == ["x", "y", ["part"]]
    assert found["last"].value[2] is found["b"].value["part"]
    assert (found["b"].value["table"].sum(), found["numbers"].value.sum()) == (10, 6)
    assert found["large"].value.sum() == 50_000


def test_what_shares_with_the_unreadable_is_named_too(library: None) -> None:
    """What holds something broken is not half of itself: it fails, whatever it is."""
    whole = ["whole"]
    circle: list[Any] = [whole]
    circle.append({"back": circle})
    circle.append((Gone(), circle))

    def function() -> Any:
        return inner

    inner, broken = Gone(), [Gone()]
    kind = type("Kind", (), {"part": broken, "whole": whole})
    found = loaded(
        bad=[broken, circle, function, kind],
        a=broken,
        b={"part": circle[1]},
        c=function,
        d=kind,
        e=[{1: frozenset([broken[0]])}],
        f=[whole],
    )

    assert all("gone_library" in str(found[name].error) for name in "abcde")
    assert found["f"].value == [["whole"]]


def test_two_that_are_unreadable() -> None:
    """What shares with the first is still named, not None, behind the second."""
    broken = [Grenade()]
    found = loaded(a=broken, b=Grenade(), c=[broken], d="d")

    assert isinstance(found["c"].error, ValueError)
    assert found["d"].value == "d"


def test_modules_that_the_reader_needs_are_listed() -> None:
    """Classes and functions by reference name their module; bytecode is noticed."""
    plain = graph.dump(variables(a=np.arange(2), b=[1]))
    code = graph.dump(variables(f=lambda: 1))

    assert any(name.split(".")[0] == "numpy" for name in plain.modules)
    assert (plain.bytecode, code.bytecode) == (False, True)
    assert code.files == {__file__}


def test_a_million_numbers_do_not_recurse() -> None:
    """A long list and a deep one: the first travels, the second fails with a pickling error."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert len(again(graph.dump(variables(a=list(range(1_000_000)))))["a"]) == 1_000_000
    with pytest.raises((pickle.PicklingError, RecursionError)):
        graph.dump(variables(deep=deep))


class Model:
    """A value with parts."""

    def __init__(self, part: Any) -> None:
        self.layers = [1, {"part": part}]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (threading.Lock(), "x"),
        ([1, threading.Lock()], "x[1]"),
        ({"a": (1, threading.Lock())}, "x['a'][1]"),
        (Model(threading.Lock()), "x.layers[1]['part']"),
        (Model(i for i in range(3)), "x.layers[1]['part']"),
    ],
)
def test_blame_finds_the_part(value: Any, path: str) -> None:
    """The path leads to the deepest part that fails by itself."""
    assert blame(value, "x")[0] == path


def test_blame_looks_into_closures() -> None:
    """A function that closes over what does not pickle is blamed by that variable."""
    lock = threading.Lock()

    def closure() -> Any:
        return lock

    text = sentence("f", closure, TypeError("cannot pickle"))

    assert "f's variable lock" in text
    assert "_thread.lock" in text
