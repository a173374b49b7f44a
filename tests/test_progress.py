"""`nbbatch.progress` outside a job: the loop just works, and shows what it can."""

from __future__ import annotations

import io
import sys

import pytest

import nbbatch
from nbbatch.bars import outside
from nbbatch.wire import here


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=["tqdm", "without"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Show bars as with tqdm installed, and as without it."""
    monkeypatch.setattr(here, "bars", None)
    if request.param == "without":
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    return str(request.param)


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal; in the test itself, since pytest has its own between phases."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_loop_shows_its_end(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each item comes, and the last line says all of it."""
    terminal = on_terminal(monkeypatch)
    assert list(nbbatch.progress([1, 2, 3], label="fit")) == [1, 2, 3]

    last = terminal.getvalue().rstrip("\n").rpartition("\r")[2]
    expected = "fit: 100%" if way == "tqdm" else "fit: 3 of 3 it (100%)"
    assert last.startswith(expected)
    assert terminal.getvalue().endswith("\n")


def test_every_property_is_the_same(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a job's loop can do, it can do here."""
    on_terminal(monkeypatch)
    with nbbatch.progress(total=10, label="a", unit="B") as bar:
        bar.update(3)
        bar.set_label("b")
        bar.total = 12
        assert (bar.done, bar.total, bar.label) == (3, 12, "b")
        assert repr(bar) == "<nbbatch.progress: b: 3 of 12 B (25%)>"
    bar.close()
    for x in nbbatch.progress(iter("abc")):
        if x == "b":
            break
    assert [y for x in nbbatch.progress("ab") for y in nbbatch.progress(x * 2)] == list("aabb")
    with pytest.raises(KeyError):
        for _ in nbbatch.progress("ab"):
            raise KeyError
    assert outside.LineBar._open == []


def test_nobody_looks(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into a pipe no line is written again and again; a stream that fails stops no loop."""

    class Broken(Terminal):
        def write(self, text: str) -> int:
            raise OSError("gone")

    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    assert sum(nbbatch.progress(range(5))) == 10
    assert "\n" not in pipe.getvalue().rstrip("\n")
    if way == "without":
        assert pipe.getvalue() == ""
        for stream in (Broken(), None):
            monkeypatch.setattr(sys, "stderr", stream)
            assert sum(nbbatch.progress(range(5))) == 10


def test_a_line_is_written_ten_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast the loop is; of loops in loops the outer one is written."""
    terminal = on_terminal(monkeypatch)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(here, "bars", None)
    now = [0.0]
    monkeypatch.setattr(outside.time, "monotonic", lambda: now[0])
    for _ in nbbatch.progress(range(1000), label="outer"):
        now[0] += 0.01
        for _ in nbbatch.progress("ab", label="inner"):
            pass

    assert 90 <= terminal.getvalue().count("\r") <= 110
    assert "inner" not in terminal.getvalue()
