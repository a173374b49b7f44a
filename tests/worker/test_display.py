"""`display` and the last expression: what a real kernel shows is what we show."""

from __future__ import annotations

import base64
import json
import sys

import pytest
from IPython.lib.pretty import pretty as known_pretty

from nbbatch.wire.frames import encode
from nbbatch.worker.notebook import mime
from nbbatch.worker.notebook.display import Display
from nbbatch.worker.notebook.pretty import pretty
from tests.worker import cells

REPRS = """\
class Rich:
    def __init__(self, **reprs):
        for name, value in reprs.items():
            setattr(self, f"_repr_{name}_", lambda value=value: value)
    def __repr__(self):
        return "Rich()"
class Bundled(Rich):
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": "<b>", "application/x+json": [1]}, {"text/html": {"a": True}}
class Shown:
    def _ipython_display_(self):
        display("shown by itself")
class Any:
    def __getattr__(self, name):
        return lambda *a, **k: "anything"
class Plain:
    pass
class Multi:
    def __repr__(self):
        return "Multi(\\n  a=1,\\n  b=2)"
"""
CELLS = [
    REPRS,
    "None",
    "1",
    "[1, 'a', None, 2.5, b'x', ..., True]",
    "list(range(100))",
    "list(range(1200))[1:]",
    "{'key %d' % i: list(range(i)) for i in range(20)}",
    "{3, 1, 2}, set(), frozenset([1]), (1,)",
    "'line\\nline', 'long ' * 40",
    "x = [1]; x.append(x); y = {}; y[1] = y; x, y",
    "import collections; collections.Counter('abca'), collections.OrderedDict(a=1)",
    "collections.defaultdict(list, a=[1]), collections.deque([1, 2], maxlen=3)",
    "def f(a, *, b=1): ...\nf, len, Plain, int, Plain.__init__, ValueError('no', 1)",
    "import re, types, os; re.compile('a\\\\d', re.I), types.SimpleNamespace(a=1, b=[1]), os",
    "Plain()",
    "[Multi(), {'m': Multi()}]",
    "Rich(html='<b>', markdown='*a*', svg='<svg/>', latex='$x$', javascript='alert()')",
    "Rich(png=b'\\x89PNG', jpeg=(b'\\xff', {'width': 1}), pdf=b'%PDF')",
    "Rich(json={'a': [1, {'b': None}]}), 1",
    "Rich(json={'a': [1, {'b': None}]})",
    "Bundled(html='not this', markdown='this')",
    "Shown()",
    "display(Shown(), 1)",
    "Any()",
    "Rich",
    "display(1, 'two', Rich(html='<b>'))",
    "display(Rich(html='<b>', latex='$x$'), include=['text/html'])",
    "display(Rich(html='<b>', latex='$x$'), exclude=['text/html'])",
    "display({'text/plain': 'raw', 'text/html': '<i>'}, raw=True)",
    "display(Rich(html='<b>'), metadata={'text/html': {'isolated': True}})",
    "print('a', end=''); display(1); print('b'); 2",
    "import sys; print('out'); print('err', file=sys.stderr)",
    "sys.stdout.write('x\\n'); sys.stdout.flush()",
    "display(1, update=True)",
]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Run the table once in a real kernel."""
    return cells.in_notebook(*CELLS, folder=tmp_path_factory.mktemp("kernel"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Run the table once without IPython."""
    folder = tmp_path_factory.mktemp("bare")
    return cells.run(*CELLS, folder=folder, before=cells.HIDDEN)


@pytest.fixture(scope="module")
def connected(tmp_path_factory):
    """Run the table once with IPython connected."""
    return cells.run("import IPython", *CELLS, folder=tmp_path_factory.mktemp("real"))


@pytest.mark.parametrize("number", range(len(CELLS)), ids=[c.split("\n")[0][:40] for c in CELLS])
def test_as_in_a_kernel(number, kernel, bare, connected):
    """Each cell's outputs are those of a real kernel, without and with IPython in the image."""
    expected = cells.kept(kernel[number])

    assert expected == cells.as_outputs(bare[number])
    assert expected == cells.as_outputs(connected[number + 1])


@pytest.mark.parametrize(
    "value",
    [
        {"a": (1, [2] * 30, {"b": "c" * 50})},
        [[i] * 12 for i in range(12)],
        {(1, 2): {"x" * 40: "y" * 40}},
        [{"k": [ValueError("x" * 40, ["y" * 40])]}],
        sys.flags,
        {1: {2: {3: {4: list(range(40))}}}},
        [],
        {"empty": {}, "tuple": ()},
    ],
    ids=repr,
)
def test_layout(value):
    """Nested containers break where IPython breaks them."""
    assert known_pretty(value) == pretty(value)


class Broken:
    """Raises wherever it is asked."""

    def __repr__(self):
        raise ValueError("no repr")

    def _repr_html_(self):
        raise KeyError("no html")


def shown():
    frames = []
    return frames, Display(frames.append, {})


def test_a_repr_that_raises(capsys):
    """The cell goes on; the text names the error, stderr tells the other one."""
    frames, display = shown()
    display.show_result(Broken())

    assert ["text/plain"] == list(frames[0]["data"])
    assert "its repr raised ValueError: no repr" in frames[0]["data"]["text/plain"]
    assert "KeyError: 'no html'" in capsys.readouterr().err


def test_handles_update_what_they_showed():
    """A handle's updates carry the id of what it showed first."""
    frames, display = shown()
    handle = display.display(1, display_id=True)
    handle.update(2)
    handle.display(3)
    display.update_display(4, display_id=handle.display_id)

    assert [(False, "1"), (True, "2"), (False, "3"), (True, "4")] == [
        (f["update"], f["data"]["text/plain"]) for f in frames
    ]
    assert {handle.display_id} == {f["display_id"] for f in frames}


def test_an_empty_display_to_be_filled_later():
    """An id without an object shows an empty output."""
    frames, display = shown()
    handle = display.display(display_id="later")

    assert ("later", {}) == (frames[0]["display_id"], frames[0]["data"])
    assert "<DisplayHandle display_id=later>" == repr(handle)


def test_clear_output():
    """Clearing is a frame of its own; `clear=True` waits for what follows."""
    frames, display = shown()
    display.clear_output()
    display.display(1, clear=True)

    assert [("clear", False), ("clear", True), ("display", None)] == [
        (f["kind"], f.get("wait")) for f in frames
    ]


def test_last_results_are_kept():
    """`_`, `__` and `___` are the last three results."""
    space = {}
    display = Display(lambda frame: None, space)
    for value in (1, 2, None, 3, 4):
        display.show_result(value)

    assert {"_": 4, "__": 3, "___": 2} == space


def test_a_users_own_underscore_stays():
    """A variable of the user's that is named `_` is not overwritten."""
    space = {"_": "mine"}
    Display(lambda frame: None, space).show_result(1)

    assert {"_": "mine"} == space


def test_every_bundle_travels():
    """Bytes, keys that are no text and values that JSON does not know become what it knows."""
    frames, display = shown()
    odd = {"application/x": {1: b"\x00\xff", "s": {2}, "o": 1j, "deep": [(b"a",)]}}
    display.publish(odd, {"text/html": {"size": (1, b"x")}})

    data = json.loads(encode(frames))["data"]["application/x"]
    assert {"1": "AP8=", "s": [2], "o": "1j", "deep": [["YQ=="]]} == data


def test_what_is_too_large_is_named():
    """A value above the limit is left out, and its text says so."""
    frames, display = shown()
    display.publish({"text/plain": "small", "image/png": b"x" * mime.LARGEST})
    display.publish({"text/plain": "y" * (mime.LARGEST + 1)})

    assert {"text/plain": "small\n[image/png of 33 MiB is too large to show]"} == frames[0]["data"]
    assert frames[1]["data"]["text/plain"].startswith("yyy")
    assert len(frames[1]["data"]["text/plain"]) < mime.LARGEST


def test_a_widget_shows_as_text():
    """A widget's model ends with the job: its text is shown, not a view of nothing."""
    frames, display = shown()
    display.publish({mime.WIDGET: {"model_id": "1"}, "text/plain": "IntSlider(value=0)"})

    assert {"text/plain": "IntSlider(value=0)"} == frames[0]["data"]


def test_png_as_base64():
    """Images are base64 in the frame, without line breaks."""
    frames, display = shown()
    data = bytes(range(256)) * 4
    display.publish({"image/png": data})

    assert base64.b64encode(data).decode() == frames[0]["data"]["image/png"]


def test_renderers_that_fail_do_not_fail_the_cell(capsys):
    """A figure that can't be drawn is told of; its text is shown."""
    frames, display = shown()
    display.renderers[f"{Broken.__module__}.Broken"] = lambda value: 1 / 0
    display.show_result(Broken())

    assert ["text/plain"] == list(frames[0]["data"])
    assert "ZeroDivisionError" in capsys.readouterr().err
