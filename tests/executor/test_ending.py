"""How an executor ends: by itself, by its user, with the program."""

from __future__ import annotations

import concurrent.futures
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbbatch import BatchExecutor
from nbbatch.executor import exiting
from nbbatch.executor.member import Member
from nbbatch.futures import Job
from tests.executor.stages import eventually, until

pytestmark = pytest.mark.usefixtures("local_session")


def test_no_call_is_lost_when_a_worker_goes() -> None:
    """A call that is given to a worker at the very moment when it ends is made by another."""
    with BatchExecutor(1, idle_timeout=0.0) as executor:
        calls = [executor.submit(pow, 2, n) for n in range(3)]
        assert [call.result(60) for call in calls] == [1, 2, 4]
        for n in range(4):
            assert executor.submit(pow, 3, n).result(60) == 3**n


def test_shutdown(executors: Any, tmp_path: Path) -> None:
    """Without waiting, what was submitted is done all the same; with cancelling, what is begun."""
    executor = executors(1)
    calls = [executor.submit(until, tmp_path / "go", n) for n in range(3)]
    eventually(lambda: calls[0].job is not None)
    executor.shutdown(wait=False, cancel_futures=True)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1)
    (tmp_path / "go").touch()

    assert calls[0].result(60) == 0
    assert [call.cancelled() for call in calls] == [False, True, True]
    executor.shutdown()


def test_an_executor_that_is_forgotten() -> None:
    """The calls are made, and its workers end."""
    executor = BatchExecutor(1)
    values = executor.map(abs, [-1, -2])
    thread = executor._pool._thread
    del executor
    gc.collect()

    assert list(values) == [1, 2]
    assert thread is not None
    thread.join(60)
    assert not thread.is_alive()


def test_terminating(one: BatchExecutor, tmp_path: Path) -> None:
    """Workers are stopped in the midst of their calls."""
    calls = [one.submit(until, tmp_path / "never") for _ in range(3)]
    eventually(lambda: calls[0].job is not None and calls[0].job.running())
    one.terminate_workers()

    for call in calls:
        with pytest.raises(concurrent.futures.CancelledError):
            call.result(60)


def test_a_worker_that_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told that nothing more comes, and is not cancelled when it has ended of that."""
    cancelled: list[Job[Any]] = []
    close = Member.close

    def closed(member: Member) -> None:
        close(member)
        eventually(lambda: member.job.facts.state.final)

    monkeypatch.setattr(Member, "close", closed)
    monkeypatch.setattr(Job, "cancel", cancelled.append)
    with BatchExecutor(1) as executor:
        assert executor.submit(pow, 2, 3).result(60) == 8

    assert cancelled == []


def test_pools_that_end_together_with_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a thread of its own: one that is through does not keep the others from ending."""

    class Pool:
        def __init__(self) -> None:
            self.done: list[str] = []

        def close(self, after: str) -> None:
            self.done.append(after)

        def join(self) -> None:
            self.done.append("joined")

    class Live(weakref.WeakSet[Pool]):
        def __iter__(self) -> Iterator[Pool]:
            for pool in super().__iter__():
                thread = threading.Thread(target=exiting.forget, args=(pool,))
                thread.start()
                thread.join(0.05)
                yield pool

    pools = [Pool() for _ in range(3)]
    monkeypatch.setattr(exiting, "_live", Live(pools))
    monkeypatch.setattr(exiting, "_exiting", False)
    exiting._exit()

    assert [pool.done for pool in pools] == [[exiting.EXIT, "joined"]] * 3


def test_the_program_ends(tmp_path: Path) -> None:
    """What was submitted is made before; nothing can be submitted any more afterwards."""
    script = f"""if True:
        import atexit, pathlib, time
        @atexit.register
        def last():
            try:
                executor.submit(abs, 1)
            except RuntimeError as error:
                print(error)
        from nbbatch import BatchExecutor
        executor = BatchExecutor(1)
        call = executor.submit(pathlib.Path({str(tmp_path / "made")!r}).write_text, "made")
        call.add_done_callback(lambda call: print(call.result()))
    """
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=240
    )

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "4\ncannot schedule new futures after interpreter shutdown\n"
    assert (tmp_path / "made").read_text() == "made"
