"""Every way in which a job may end: a named state, and what it had said until then."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, errors
from nbbatch.futures import Job
from nbbatch.session import Session, current_session
from tests import disks
from tests.integration.conftest import attach_last, gone

pytestmark = pytest.mark.usefixtures("local_session")


def run(function: Any, *args: Any, **options: Any) -> Job[Any]:
    """Run a function as a job, to its end."""
    job: Job[Any] = batch(**options)(function).submit(*args)
    assert job.wait(60)
    return job


def lost(job: Job[Any], kind: type[errors.NbbatchError]) -> errors.NbbatchError:
    """Check that a job ended with an error of ours, in three parts."""
    error = job.exception(60)
    assert type(error) is kind, error
    assert error.what
    assert error.cause
    assert error.hint
    assert job.facts.done
    assert job.facts.message == error.what
    return error


def test_a_result_that_does_not_pickle() -> None:
    """The error names the path to the part at fault, and the job counts as failed."""

    def make() -> Any:
        print("made")
        return {"layers": [1, threading.Lock()]}

    job = run(make)
    error = lost(job, errors.NotPicklableError)
    assert "result['layers'][1]" in error.cause
    assert job.facts.outcome == "error"
    assert "made\n" in job.logs()


def test_a_generator_as_a_result() -> None:
    """A generator function's value can't come back, and the error says so."""

    def numbers() -> Any:
        yield 1

    assert "generator" in lost(run(numbers), errors.NotPicklableError).cause


@pytest.mark.parametrize("code", [None, 3])
def test_sys_exit(code: int | None) -> None:
    """`sys.exit` ends the job as it would end the call here."""

    def leave(code: int | None) -> None:
        print("leaving")
        sys.exit(code)

    job = run(leave, code)
    error = job.exception()
    assert isinstance(error, SystemExit)
    assert error.code == code
    assert job.facts.outcome == "error"
    assert job.facts.message == ("SystemExit: 3" if code else "SystemExit")
    assert job.logs() == "leaving\n"


def test_os_exit() -> None:
    """A process that ends itself is reported with its code and all its text."""

    def leave() -> None:
        for number in range(1000):
            print(number)
        print("last", end="")
        os._exit(3)

    job = run(leave)
    error = lost(job, errors.ProcessDiedError)
    assert "exit code 3" in error.cause
    assert job.facts.outcome == "lost"
    assert job.logs() == "".join(f"{n}\n" for n in range(1000)) + "last"


@pytest.mark.parametrize("how", ["segfault", "abort", "kill"])
def test_a_crash(how: str) -> None:
    """A crash is named by its signal, and the log says in which line it happened."""

    def crash(how: str) -> None:
        print("before", flush=True)
        if how == "segfault":
            ctypes.string_at(0)
        elif how == "abort":
            os.abort()
        os.kill(os.getpid(), signal.SIGKILL)

    job = run(crash, how)
    error = lost(job, errors.ProcessDiedError)
    assert {"segfault": "SIGSEGV", "abort": "SIGABRT", "kill": "SIGKILL"}[how] in error.cause
    assert job.facts.outcome == "lost"
    assert "before\n" in job.logs()
    if how != "kill":
        assert "in crash" in job.logs()


def test_out_of_memory() -> None:
    """A job over its memory is killed; the error says what it asked for, used and should ask."""

    def fill() -> int:
        print("filling")
        data = bytearray(400 << 20)
        for at in range(0, len(data), 4096):
            data[at] = 1
        # Until somebody sees it.
        threading.Event().wait()
        return len(data)

    job = run(fill, memory=200)
    error = lost(job, errors.OutOfMemoryError)
    assert "200 MiB" in error.cause
    assert error.hint == "--memory 512"
    assert job.facts.peak is not None
    assert job.facts.peak.memory > 150 << 20
    assert f"{job.facts.peak.memory >> 20} MiB" in error.cause
    assert job.facts.outcome == "lost"
    assert job.logs() == "filling\n"


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give nbbatch a home on a disk of 8 MB."""
    with disks.small_disk(tmp_path / "small", 8) as home:
        monkeypatch.setenv("NBBATCH_HOME", str(home))
        nbbatch.configure(backend="local")
        yield home


def test_results_that_do_not_fit_on_the_disk(small_disk: Path) -> None:
    """The error says that there is no room for the results; the text is there."""

    def large() -> bytes:
        print("computed")
        return b"x" * (20 << 20)

    job = run(large)
    error = lost(job, errors.StorageFullError)
    assert "No space left" in error.cause
    assert job.logs().startswith("computed\n")
    store = current_session().backend.store
    before = {key for key, _, _ in store.list("")}
    with pytest.raises(errors.StorageFullError, match="No space left"):
        batch(lambda data: len(data)).submit(b"y" * (20 << 20))
    assert {key for key, _, _ in store.list("")} == before


def test_a_disk_that_the_job_fills(small_disk: Path) -> None:
    """Where not even the outcome can be written, the error still says why."""

    def fill(folder: str, name: str = "junk") -> None:
        print("filling", flush=True)
        with open(f"{folder}/{name}", "wb", buffering=0) as file:  # noqa: PTH123
            while True:
                file.write(b"x" * 65536)

    def small() -> int:
        return 1

    job = run(fill, str(small_disk))
    error = job.exception()
    full = isinstance(error, OSError) and "No space left" in str(error)
    assert full or type(error) is errors.StorageFullError
    gone(current_session())
    # What the job itself was about to write may have left some room.
    with pytest.raises(OSError, match="No space left"):
        fill(str(small_disk), "more")
    with pytest.raises(errors.StorageFullError, match="No space left"):
        batch(small).submit()
    (small_disk / "junk").unlink()
    (small_disk / "more").unlink()
    assert run(small).result() == 1


def test_the_first_attempt_that_fails_is_not_the_end() -> None:
    """A job with retries goes on after a failure; the value is that of the last attempt."""
    from nbbatch import current

    def flaky() -> int:
        print("attempt", current.attempt, "of", current.attempts)
        if current.attempt < 3:
            raise ValueError(f"attempt {current.attempt}")
        return int(current.attempt)

    job = run(flaky, retries=2)
    assert job.result() == 3
    assert job.facts.attempt == 3
    assert job.facts.outcome == "ok"
    assert job.logs() == "attempt 3 of 3\n"


def test_the_last_attempt_is_the_one_that_is_shown() -> None:
    """When all attempts fail the error and the text are those of the last one."""
    from nbbatch import current

    def failing() -> None:
        print("attempt", current.attempt)
        if current.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError(f"attempt {current.attempt}")

    job = run(failing, retries=1)
    with pytest.raises(ValueError, match="attempt 2"):
        job.result()
    assert job.logs() == "attempt 2\n"


def test_a_refusal_is_not_tried_again(tmp_path: Path) -> None:
    """Where another attempt would do no better there is none."""

    def make(folder: Path) -> Any:
        with (folder / "attempts").open("a") as file:
            file.write("x")
        return threading.Lock()

    lost(run(make, tmp_path, retries=3), errors.NotPicklableError)
    assert attach_last().wait(60)
    gone(current_session())
    assert (tmp_path / "attempts").read_text() == "x"


@pytest.mark.thorough
def test_a_timeout() -> None:
    """A job over its time is asked to end, its own clean-up runs, and it is tried again."""

    def wait() -> None:
        print("waiting")
        try:
            threading.Event().wait()
        finally:
            print("cleaned up")

    # Long enough for the code to have begun.
    job = run(wait, timeout=6, retries=1)
    error = lost(job, errors.JobTimeoutError)
    assert error.cause == "its code was still running after 6 s"
    assert "--timeout" in error.hint
    assert job.logs() == "waiting\ncleaned up\n"
    assert job.facts.outcome == "lost"
    assert job.facts.attempt == 2


def test_a_fork_that_runs_on(local_session: Session) -> None:
    """A fork that the code makes and does not end writes no outcome of its own."""

    def fork() -> int:
        pid = os.fork()
        if not pid:
            raise ValueError("of the fork")
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    job = run(fork)
    assert job.result() == 1
    assert job.outputs == []


def test_a_timer_that_is_left_running() -> None:
    """A handler that raises, and that the code left behind, spoils no result."""

    def leave() -> list[str]:
        def ring(*_: Any) -> None:
            raise ValueError("too late")

        values = [str(number) for number in range(500_000)]
        signal.signal(signal.SIGVTALRM, ring)
        # By the time that this process itself has had: however busy the machine is, it rings later.
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.02, 0.001)
        return values

    assert len(run(leave).result()) == 500_000


def test_what_a_job_forks_ends_by_a_signal(local_session: Session) -> None:
    """A pool ends its processes by SIGTERM, and waits for them: nothing may come in its way."""

    @batch
    def how() -> int:
        import os
        import signal
        import time

        ready, tell = os.pipe()
        process = os.fork()
        if not process:
            try:
                os.write(tell, b"!")
                time.sleep(60)
            # As a finalizer would swallow an exception that a handler raises.
            except BaseException:
                time.sleep(60)
            os._exit(0)
        os.read(ready, 1)
        os.kill(process, signal.SIGTERM)
        return os.waitpid(process, 0)[1]

    assert how() == signal.SIGTERM
