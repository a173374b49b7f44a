"""No call waits behind a long one while another worker is free."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbbatch import BatchExecutor, errors
from nbbatch.executor.call import Call
from nbbatch.session import Session
from nbbatch.wire import calls, keys
from tests.executor.stages import eventually, until, warm


def prepare(executor: BatchExecutor, workers: int, folder: Path) -> None:
    """Have all workers, and have it think that calls are short."""
    warm(executor, workers, folder)
    learnt = threading.Event()

    def learn() -> None:
        executor._pool.pace._mean = 0.0001
        learnt.set()

    # Where it is learnt, after all that there was to learn of the calls before.
    executor._pool.tell(learn)
    assert learnt.wait(60)


def submitted(executor: BatchExecutor, submit: Callable[[], list[Call[Any]]]) -> list[Call[Any]]:
    """Submit calls so that the pool's thread can take none before all are there."""
    with executor._pool._lock:
        return submit()


def test_what_is_behind_a_long_call_goes_elsewhere(executors: Any, tmp_path: Path) -> None:
    """Whether it was given together with the long one, or ahead."""
    executor = executors(2)
    prepare(executor, 2, tmp_path)
    # However long it has been busy, a worker is given calls ahead.
    executor._pool.pace.worth = 60.0
    long = executor.submit(until, tmp_path / "go", 1)
    short = submitted(executor, lambda: [executor.submit(pow, 2, n) for n in range(40)])

    assert [call.result(60) for call in short] == [2**n for n in range(40)]
    assert not long.done()
    assert long.job not in {call.job for call in short}
    (tmp_path / "go").touch()
    assert long.result(60) == 1


def test_one_of_many_is_long(executors: Any, tmp_path: Path) -> None:
    """Those behind it in the same object are given back, and made once each."""
    executor = executors(2)
    prepare(executor, 2, tmp_path)

    def count(n: int, folder: Path) -> int:
        with (folder / f"made-{n}").open("a") as file:
            file.write("x")
        return n

    def submit() -> list[Call[Any]]:
        return [
            executor.submit(until, tmp_path / "go", 0),
            *(executor.submit(count, n, tmp_path) for n in range(1, 60)),
        ]

    long, *short = submitted(executor, submit)

    assert [call.result(60) for call in short] == list(range(1, 60))
    assert not long.done()
    (tmp_path / "go").touch()
    assert long.result(60) == 0
    made = [(tmp_path / f"made-{n}").read_text() for n in range(1, 60)]
    assert made == ["x"] * 59


def test_the_next_attempt_leaves_what_was_given_back(executors: Any, tmp_path: Path) -> None:
    """A worker that dies in its long call makes none of the others a second time."""
    executor = executors(1, retries=1)
    prepare(executor, 1, tmp_path)

    def die_once(mark: Path) -> str:
        import os
        import signal
        import time

        if mark.exists():
            return "second"
        while not mark.with_suffix(".die").exists():
            time.sleep(0.01)
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    def submit() -> list[Call[Any]]:
        dying = executor.submit(die_once, tmp_path / "mark")
        return [dying, *(executor.submit(pow, 2, n) for n in range(5))]

    dying, *short = submitted(executor, submit)
    (member,) = executor._pool.members
    eventually(lambda: member.post.share(1) == 1)
    (tmp_path / "mark.die").touch()

    assert dying.result(60) == "second"
    assert [call.result(60) for call in short] == [1, 2, 4, 8, 16]
    assert {call.job for call in short} == {dying.job}


def test_a_forged_share(local_session: Session) -> None:
    """Who can write to the store can't have calls made twice, or not at all, unnoticed."""
    with BatchExecutor(1) as executor:
        assert executor.submit(pow, 2, 3).result(60) == 8
        (job,) = executor.jobs
        store, key = local_session.backend.store, local_session.key_of(job.id)
        assert calls.share(store, key, job.id, 0) == 1
        store.put(keys.share(job.id, 0), [b"".join(bytes(p) for p in forged(store, job.id))])

        with pytest.raises(errors.SealError):
            calls.share(store, key, job.id, 0)


def forged(store: Any, job: str) -> Any:
    """Say that no call is the worker's, without knowing its key."""
    return calls._share(store, os.urandom(32), job, 0, 0)
