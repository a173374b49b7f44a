"""Executors to test, what their workers are given to call, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nbbatch import BatchExecutor

__all__ = ["die", "eventually", "fail", "lock", "stopped", "until", "warm"]


def functions() -> Any:
    # Inside a function, so that they travel by value, without this module.
    def until(path: Any, value: Any = None) -> Any:
        import os
        import time

        while not os.path.exists(path):
            time.sleep(0.01)
        return value

    def die(marks: Any = "") -> str:
        import os
        import signal

        if marks:
            with open(marks, "a") as file:
                file.write("begun\n")
            if os.environ["AWS_BATCH_JOB_ATTEMPT"] == "2":
                return "second"
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    def fail(word: str) -> None:
        try:
            {}[word]
        except KeyError as error:
            raise ValueError(word) from error

    def lock() -> Any:
        import threading

        return threading.Lock()

    return until, die, fail, lock


#: Called by workers: wait for a file; die, the first time; raise; return what does not pickle.
until, die, fail, lock = functions()


def eventually(look: Callable[[], Any]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def warm(executor: BatchExecutor, workers: int, folder: Path) -> None:
    """Have so many workers that have begun."""
    going = [executor.submit(until, folder / "warm") for _ in range(workers)]
    eventually(lambda: all(call.job and call.job.running() for call in going))
    (folder / "warm").touch()
    assert [call.result(60) for call in going] == [None] * workers


def stopped() -> Iterator[Callable[..., BatchExecutor]]:
    """Give what makes executors; whatever they still do in the end is stopped."""
    made = []

    def make(*args: Any, **settings: Any) -> BatchExecutor:
        made.append(BatchExecutor(*args, **settings))
        return made[-1]

    yield make
    for executor in made:
        executor.terminate_workers()
        executor.shutdown()
