"""The view in a terminal, on a real pseudo-terminal, and in a pipe."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from typing import Any, TextIO

import pytest

from nbbatch.facts import Progress, State, Stay
from nbbatch.widgets import TerminalView
from tests.widgets.jobs import START, HandPump, ended, running, waiting

_END = "\x1f"


class Screen:
    """A pseudo-terminal, and what a person would see on it."""

    def __init__(self) -> None:
        self._reading, writing = pty.openpty()
        self.stream: TextIO = os.fdopen(writing, "w", encoding="utf-8")
        self.raw = ""

    def close(self) -> None:
        """Give the terminal back."""
        self.stream.close()
        os.close(self._reading)

    def lines(self) -> list[str]:
        """Return the lines that stand on the screen, without their trailing blanks."""
        self.stream.write(_END)
        self.stream.flush()
        # The kernel hands the bytes over in its own time.
        read = b""
        while not read.endswith(_END.encode()):
            read += os.read(self._reading, 1 << 20)
        self.raw += read.decode().removesuffix(_END)
        return [_line(text) for text in self.raw.replace("\r\n", "\n").split("\n")]

    def resize(self, columns: int) -> None:
        """Make the window as wide."""
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.stream.fileno(), termios.TIOCSWINSZ, size)


def _line(text: str) -> str:
    cells: list[str] = []
    column = 0
    for character in text:
        if character == "\r":
            column = 0
            continue
        cells[column : column + 1] = [character]
        column += 1
    return "".join(cells).rstrip()


@pytest.fixture
def screen() -> Iterator[Screen]:
    """Open a pseudo-terminal."""
    terminal = Screen()
    yield terminal
    terminal.close()


def on(screen: Screen, **environ: str) -> tuple[TerminalView, HandPump]:
    """Make a view on both streams of a terminal."""
    pump = HandPump()
    options: dict[str, Any] = {"environ": environ, "clock": lambda: START + 72, "pump": pump}
    return TerminalView(screen.stream, screen.stream, **options), pump


def test_one_line_below_the_log_is_updated(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log scrolls above; the state stands below, once; at the end it is the last line."""
    monkeypatch.setenv("COLUMNS", "120")
    view, pump = on(screen, NO_COLOR="1")
    view.update(waiting())
    pump.tick()
    first = screen.lines()
    view.write("stdout", "one\ntwo\n")
    view.update(running())
    pump.tick()
    second = screen.lines()
    view.write("stderr", "three\n")
    view.finish(ended())

    assert first == ["○ Runnable · train · 1 m 12 s · waiting for an instance"]
    assert second[:2] == ["one", "two"]
    assert second[2] == (
        "● Running · train · 1 m 12 s · CPU 1.9 of 2 cores · Memory 3 of 16 GB · A10G 87 %"
    )
    assert [line.split(" · ")[0] for line in screen.lines()] == [
        "one",
        "two",
        "three",
        "✓ Succeeded",
        "",
    ]
    assert pump.views == []


def test_what_waits_stands_above_what_others_write(screen: Screen) -> None:
    """Before a result is written, the text that came before it is, and the status is gone."""
    view, pump = on(screen, NO_COLOR="1")
    view.update(running())
    pump.tick()
    view.write("stdout", "there")
    view.settle()
    screen.stream.write("Out[3]: 21\n")
    pump.tick()

    assert screen.lines()[:2] == ["there", "Out[3]: 21"]


def test_a_line_that_is_not_finished_is_left_alone(screen: Screen) -> None:
    """Dots and progress bars of the job have their line for themselves until it ends."""
    view, pump = on(screen, NO_COLOR="1")
    view.update(running())
    pump.tick()
    view.write("stderr", "\r10%")
    pump.tick()
    view.write("stderr", "\r20%")
    pump.tick()
    during = screen.lines()
    view.write("stderr", "\r100%\n")
    pump.tick()

    assert during == ["20%"]
    assert screen.lines()[0] == "100%"
    assert screen.lines()[1].startswith("● Running")


def test_the_line_never_wraps(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line wider than the terminal is cut: a wrapped one could not be erased."""
    monkeypatch.setenv("COLUMNS", "20")
    view, pump = on(screen, NO_COLOR="1")
    view.update(waiting(name="日本語日本語日本語"))
    pump.tick()

    assert screen.lines() == ["○ Runnable · 日本語"]


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_a_choice(screen: Screen, environ: dict[str, str], coloured: bool) -> None:
    """Only the state is coloured, and nothing where NO_COLOR is set."""
    view, pump = on(screen, **environ)
    view.update(running())
    pump.tick()
    view.finish(ended())
    screen.lines()

    assert ("\x1b[36m● Running\x1b[0m" in screen.raw) is coloured
    assert ("\x1b" in screen.raw) is coloured


def test_a_pipe_gets_plain_lines() -> None:
    """One line per state; the log passes as it is, each stream to its own; no escapes of ours."""
    out, errors, pump = io.StringIO(), io.StringIO(), HandPump()
    view = TerminalView(
        out,
        errors,
        environ={},
        clock=lambda: START + 72,
        pump=pump,  # type: ignore[arg-type]
    )
    for state in (State.SUBMITTED, State.RUNNABLE, State.RUNNABLE):
        view.update(waiting(state=state, message=""))
    view.update(running())
    view.update(running())
    view.write("stdout", "\x1b[32mgreen\x1b[0m\n")
    view.write("stderr", "\r10%")
    view.finish(ended())
    view.write("stdout", "late")
    view.update(running())

    assert out.getvalue().split("\n") == [
        "○ Submitted train",
        "○ Runnable train",
        "● Running train",
        "\x1b[32mgreen\x1b[0m",
        "",
        "✓ Succeeded · train · 1 m 24 s · 2 vCPU of 4 asked, 1 GPU, 16 GB · peak 2 cores, 5 GB",
        "",
    ]
    assert errors.getvalue() == "\r10%"
    assert pump.views == []


def test_an_ascii_stream_gets_ascii() -> None:
    """Where the encoding lacks the signs, others stand in; what can't be said is replaced."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="")
    view = TerminalView(stream, stream, environ={}, clock=lambda: START + 72)
    view.update(waiting(message=""))
    view.write("stdout", "naïve\n")
    view.finish(ended())

    assert raw.getvalue().decode("ascii").split("\n")[:2] == ["o Runnable train", "na?ve"]
    assert b"\n+ Succeeded | train" in raw.getvalue()


def test_the_line_says_how_far_the_job_has_come(screen: Screen) -> None:
    """The first loop that runs stands in the line; what is over does not."""
    view, pump = on(screen, NO_COLOR="1")
    screen.resize(120)
    over = Progress("1", "load", 9, 9, "it", START, START + 1, closed=True)
    fit = Progress("2", "fit", 120, 500, "it", START, START + 3, rate=35.0)

    view.update(running(usage=None, progress=(over, fit)))
    pump.tick()
    line = screen.lines()[-1]
    view.finish(ended())

    assert line == "● Running · train · 1 m 12 s · fit: 120 of 500 it, 35/s, 11 s left"


def test_the_line_fits_the_window_as_it_is_now(screen: Screen) -> None:
    """Of the terminal itself, whatever the environment says; a new width counts at once."""
    view, pump = on(screen, NO_COLOR="1")
    screen.resize(30)
    view.update(running())
    pump.tick()
    narrow = screen.lines()
    screen.resize(200)
    view.update(running(name="trained"))
    pump.tick()

    assert narrow == ["● Running · train · 1 m 12 s"]
    assert screen.lines() == [
        "● Running · trained · 1 m 12 s · CPU 1.9 of 2 cores · Memory 3 of 16 GB · A10G 87 %"
    ]


def test_a_line_that_the_terminal_has_wrapped_is_erased_whole(screen: Screen) -> None:
    """Once the window is narrower than the line, the cursor goes back over its rows."""
    view, pump = on(screen, NO_COLOR="1")
    screen.resize(100)
    view.update(running())
    pump.tick()
    screen.lines()
    before = len(screen.raw)
    screen.resize(30)
    view.write("stdout", "said\n")
    pump.tick()
    screen.lines()

    # 82 cells are three rows of 30: two up, then all below is cleared.
    assert screen.raw[before:].startswith("\r\x1b[2A\x1b[Jsaid")


def test_the_line_tells_the_cost(screen: Screen) -> None:
    """Where a price is configured it stands at the end of the line."""
    view, pump = on(screen, NO_COLOR="1")
    screen.resize(200)
    stay = Stay(State.RUNNING, 1, START + 12)
    view.update(running(prices={"vcpu": 0.05}, stays=(stay,), usage=None))
    pump.tick()

    assert screen.lines()[-1].endswith(" so far, $0.10/h")


def test_a_dumb_terminal_gets_plain_lines(screen: Screen) -> None:
    """One that can't go back gets what a pipe gets."""
    view, pump = on(screen, TERM="dumb")
    view.update(waiting(message=""))
    view.update(running())
    pump.tick()
    view.write("stdout", "said\n")
    view.finish(ended())

    assert [line.split(" · ")[0] for line in screen.lines()] == [
        *("○ Runnable train", "● Running train", "said", "✓ Succeeded", "")
    ]
    assert "\x1b" not in screen.raw
