"""Whatever a job writes, however it writes it, is in its log, and fits under a cell."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbbatch import batch
from nbbatch.futures import Job
from nbbatch.futures.telling.replay import TEXT_LIMIT
from tests.integration.conftest import observed, until

pytestmark = pytest.mark.usefixtures("local_session")


def said(function: Any, *args: Any) -> str:
    """Run a function as a job and return its log."""
    job: Job[Any] = batch(function).submit(*args)
    job.result(60)
    return job.logs()


def check_outputs(outputs: list[dict[str, Any]]) -> None:
    """Validate outputs as those of a cell in a notebook file."""
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.from_dict(o) for o in outputs])
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))


def test_text_without_an_end() -> None:
    """What does not end with a line's end is there, `\\r` and all."""

    def write() -> None:
        for percent in (10, 50, 100):
            sys.stdout.write(f"\r{percent}%")
        print("no end", end="", file=sys.stderr)

    assert said(write) == "\r10%\r50%\r100%no end"


def test_bytes_that_are_no_text() -> None:
    """Bytes that are not UTF-8 become the replacement character; split characters are joined."""

    def write() -> None:
        sys.stdout.buffer.write(b"a\xff" + "é".encode()[:1])
        sys.stdout.buffer.write("é".encode()[1:] + b"b\n")
        sys.stdout.flush()
        euro = "€".encode()
        os.write(1, b"c\xfe" + euro[:1])
        time.sleep(0.05)
        os.write(1, euro[1:] + b"d\n")
        os.write(1, euro[:2])

    assert said(write) == "a\ufffdéb\nc\ufffd€d\n\ufffd"


def test_half_a_surrogate_pair() -> None:
    """Text that no file can hold is made fit for one, and the rest of it stays."""

    def write() -> None:
        print("a\ud800b 😀")

    job = batch(write).submit()
    job.result(60)
    assert job.logs() == "a?b 😀\n"
    check_outputs(job.outputs)


def test_every_way_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors, C code, commands, threads and forks: all of it is in the log."""
    # With it even C code has no buffer that somebody must flush.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)

    def write() -> None:
        print("python")
        os.write(1, b"descriptor\n")
        ctypes.CDLL(None).puts(b"native")
        subprocess.run(["echo", "command"], check=True)
        subprocess.run(["sh", "-c", "echo to stderr >&2"], check=True)
        thread = threading.Thread(target=print, args=("thread",))
        thread.start()
        thread.join()
        fork = multiprocessing.get_context("fork").Process(target=print, args=("fork",))
        fork.start()
        fork.join()

    lines = said(write).splitlines()
    wanted = ["python", "descriptor", "native", "command", "to stderr", "thread", "fork"]
    assert sorted(lines) == sorted(wanted)


def test_what_runs_on_after_the_end(tmp_path: Path) -> None:
    """Threads and processes that the code leaves behind do not keep the job from ending."""

    told = tmp_path / "told"

    def leave() -> int:
        threading.Thread(target=lambda: time.sleep(300)).start()
        subprocess.Popen(["sh", "-c", f"echo left; touch '{told}'; exec sleep 300"])
        subprocess.Popen(["sleep", "300"], start_new_session=True)
        while not told.exists():
            time.sleep(0.01)
        return 1

    started = time.monotonic()
    job = batch(leave).submit()
    assert job.result(60) == 1
    assert time.monotonic() - started < 100
    assert job.logs() == "left\n"


def test_logs_while_it_runs(tmp_path: Path) -> None:
    """The log and the outputs of a running job have what it has said so far."""
    go = tmp_path / "go"

    def talk(go: Path) -> None:
        print("begun")
        while not go.exists():
            time.sleep(0.01)
        print("done")

    job = batch(talk).submit(go)
    until(lambda: "begun" in job.logs())
    assert job.logs() == "begun\n"
    assert [output["text"] for output in job.outputs] == ["begun\n"]
    until(job.running)
    go.touch()
    job.result(60)
    assert job.logs() == "begun\ndone\n"
    assert not job.running()


@pytest.mark.thorough
def test_a_hundred_megabytes() -> None:
    """The kernel holds little of it at a time, the log has all, a notebook's output a part."""

    def flood() -> None:
        line = "x" * 999
        for _ in range(100_000):
            print(line)
        print("the end")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = Watching()
    with observed(seen):
        job = batch(flood).submit()
    job.result(120)
    extra = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert seen.size == 100_000 * 1000 + len("the end\n")
    (output,) = job.outputs
    assert len(output["text"]) < TEXT_LIMIT + 1000
    assert "characters left out; job.logs() has them" in output["text"]
    assert output["text"].endswith("x\nthe end\n")
    check_outputs(job.outputs)
    assert extra < 80 << 10
    assert len(job.logs()) == seen.size


class Watching:
    """Counts what it is shown."""

    size = 0

    def on_facts(self, facts: Any) -> None:
        """Take the facts."""

    def on_frames(self, frames: list[dict[str, Any]]) -> None:
        """Count the text."""
        self.size += sum(len(f["text"]) for f in frames if f["kind"] == "stream")


def test_outputs_are_those_of_a_notebook(notebook: Any) -> None:
    """Streams, displays, updates, results and errors are valid outputs, in their order."""
    notebook.batch(
        "from IPython.display import display, HTML\n"
        "print('one')\n"
        "handle = display(HTML('<b>two</b>'), display_id=True)\n"
        "print('three')\n"
        "handle.update(HTML('<b>zwei</b>'))\n"
        "{'four': 4}",
        "--as job",
    )
    outputs = notebook["job"].outputs
    kinds = [output["output_type"] for output in outputs]
    assert kinds == ["stream", "display_data", "stream", "execute_result"]
    assert outputs[1]["data"]["text/html"] == "<b>zwei</b>"
    assert outputs[3]["data"]["text/plain"] == "{'four': 4}"
    check_outputs(outputs)
    notebook.failing("print('x')\n1/0", "--as job")
    outputs = notebook["job"].outputs
    assert [output["output_type"] for output in outputs] == ["stream", "error"]
    assert outputs[1]["ename"] == "ZeroDivisionError"
    check_outputs(outputs)


def test_a_handler_that_prints_and_raises() -> None:
    """Signals that come in the middle of a print spoil neither the text nor the job."""

    def interrupted() -> int:
        import signal
        import sys

        # One that comes within a destructor goes no further; Python would print that.
        sys.unraisablehook = lambda _: None

        class Alarm(Exception):
            pass

        armed = False

        def ring(*_: Any) -> None:
            nonlocal armed
            print("ring")
            if armed:
                # Not a second time, before the first has been caught.
                armed = False
                raise Alarm

        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        caught, end = 0, time.monotonic() + 0.5
        while not caught or time.monotonic() < end:
            try:
                armed = True
                for _ in range(10):
                    print("x" * 5000)
                armed = False
            except Alarm:
                caught += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("\nthe end")
        return caught

    job = batch(interrupted).submit()
    assert job.result(60) > 0
    assert job.logs().endswith("the end\n")
    assert set(job.logs()) <= set("x\nring the end")
