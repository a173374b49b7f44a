"""What the code writes goes out in order, soon and whole."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

import pytest

from nbbatch.wire.frames import frame, merged
from nbbatch.worker.notebook import streams
from tests.worker import cells

TIMEOUT = 60


class Ears:
    """Keeps frames, and lets a test wait for some text."""

    def __init__(self):
        self.frames = []
        self._heard = threading.Condition()

    def __call__(self, item):
        with self._heard:
            self.frames.append(item)
            self._heard.notify_all()

    def texts(self):
        return [f["text"] for f in self.frames if f["kind"] == "stream"]

    def wait_for(self, text):
        with self._heard:
            return self._heard.wait_for(lambda: text in "".join(self.texts()), TIMEOUT)


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture
def outlet(ears):
    outlet = streams.Outlet(ears)
    yield outlet
    # Its thread may have been told to wait for long.
    outlet._wake.set()


@pytest.fixture
def out(outlet):
    return streams.Stream("stdout", outlet)


@pytest.mark.parametrize("text", ["a line\n", "10%\r", "x" * (streams.LONG + 1), "two\nlines"])
def test_at_once(ears, out, text):
    """A finished line, a redrawn one and a very long one don't wait."""
    out.write(text)

    assert [text] == ears.texts()


def test_flush_sends_part_of_a_line(ears, out):
    """`flush` does not wait for the end of the line."""
    out.write("part")
    out.flush()

    assert ["part"] == ears.texts()


def test_part_of_a_line_goes_out_by_itself(ears, out):
    """Without any further call, all of an unfinished line is sent soon, time and again."""
    for text in ("Loading", " model", " ...", " done"):
        out.write(text)
        assert ears.wait_for(text)


def test_print_is_one_frame_a_line(ears, out, monkeypatch):
    """A line that `print` writes in pieces is not sent in pieces, unless it takes its time."""
    monkeypatch.setattr(streams, "DELAY", 60)
    print("a", 1, None, file=out)

    assert ["a 1 None\n"] == ears.texts()


def test_both_streams_and_frames_keep_their_order(ears, outlet, out):
    """Text that waits goes before the other stream's, and before other frames."""
    err = streams.Stream("stderr", outlet)
    out.write("1")
    err.write("2")
    out.write("3")
    outlet.emit(frame("clear", wait=False))
    err.write("4\n")

    assert [
        ("stream", "1"), ("stream", "2"), ("stream", "3"), ("clear", None), ("stream", "4\n"),
    ] == [(f["kind"], f.get("text")) for f in ears.frames]  # fmt: skip


def test_bytes(ears, out):
    """Bytes are decoded across writes; what is not UTF-8 is replaced."""
    out.buffer.write("né".encode()[:2])
    out.buffer.write("né\n".encode()[2:] + b"\xff\xfe ok\n")

    assert "né\n\ufffd\ufffd ok\n" == "".join(ears.texts())


@pytest.mark.parametrize("value", [b"bytes", 1, None])
def test_what_is_not_text(out, value):
    """The error is the one that a real file raises."""
    with pytest.raises(TypeError) as ours:
        out.write(value)
    with open(os.devnull, "w") as real, pytest.raises(TypeError) as known:
        real.write(value)

    assert str(known.value) == str(ours.value)


def test_as_a_file(ears, out):
    """It says of itself what libraries ask."""
    out.writelines(["a\n", "b\n"])
    out.reconfigure(line_buffering=True)
    out.close()
    out.write("still open\n")

    assert ("utf-8", False, True, False) == (
        out.encoding, out.isatty(), out.writable(), out.readable()
    )  # fmt: skip
    assert 1 == out.fileno() == out.buffer.fileno()
    assert "a\nb\nstill open\n" == "".join(ears.texts())


def test_a_flood_goes_out_in_few_pieces(ears, out):
    """Thousands of lines at once don't cost a frame each; the last ones come by themselves."""
    for number in range(5000):
        out.write(f"line {number}\n")

    assert ears.wait_for("line 4999\n")
    assert "".join(f"line {n}\n" for n in range(5000)) == "".join(ears.texts())
    assert len(ears.texts()) < 1000


def test_from_many_threads(ears, outlet):
    """Lines of several threads are all there, none torn."""

    def write(number):
        stream = streams.Stream("stdout", outlet)
        for count in range(200):
            stream.write(f"{number}:{count}\n")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outlet.flush()

    lines = merged(ears.frames)[0]["text"].splitlines()
    assert sorted(f"{n}:{c}" for n in range(8) for c in range(200)) == sorted(lines)


def test_redirected_output_stays_away(ears, out):
    """`contextlib.redirect_stdout` works as ever."""
    with contextlib.redirect_stdout(out):
        print("here")

    assert ["here\n"] == ears.texts()


def test_a_handler_that_writes_while_something_is_sent():
    """Text written while a frame is being sent, as a signal handler may, is kept."""
    said = []

    def emit(item):
        said.append(item["text"])
        if len(said) == 1:
            outlet.write("stderr", "from the handler\n")

    outlet = streams.Outlet(emit)
    outlet.write("stdout", "line\n")

    assert ["line\n", "from the handler\n"] == said


FORK = """
import os, sys
sys.path.insert(0, {root!r})
from nbbatch.worker.notebook import display, streams
streams.DELAY = 60
kept = []
outlet = streams.install(kept.append)
print("before", end="")
pid = os.fork()
if pid == 0:
    print("child says")
    print("child warns", file=sys.stderr)
    display.Display(outlet.emit).display([1])
    os._exit(0)
os.waitpid(pid, 0)
print("after")
os.write(2, repr([f["text"] for f in kept]).encode())
"""


def test_forked_processes_write_to_the_descriptors():
    """A forked process's text goes to descriptors 1 and 2, what waited before is sent once."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK.format(root=str(cells.ROOT))],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "child says\n[1]\n" == done.stdout
    assert "child warns\n['before', 'after\\n']" == done.stderr


def test_multiprocessing(tmp_path):
    """What a pool's processes print is seen, and the cell's own story goes on."""
    cell = (
        "import multiprocessing as m\n"
        "def f(x): print('worker', x); return x * x\n"
        "c = m.get_context('fork')\n"
        "p = c.Process(target=f, args=(3,)); p.start(); p.join()\n"
        "print('exit', p.exitcode)"
    )
    (frames,) = cells.run(cell, folder=tmp_path)

    assert "exit 0\n" == cells.texts(frames)
