"""`BatchExecutor` on this machine: workers that stay, and how calls come to them."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import BatchExecutor, current, errors
from nbbatch.executor.pace import Pace
from nbbatch.session import current_session
from nbbatch.wire import keys
from tests.executor.stages import eventually, until

pytestmark = pytest.mark.usefixtures("local_session")


def test_one_worker_makes_many_calls(one: BatchExecutor) -> None:
    """A call costs no start: the process is the same, and there is one job."""
    calls = [one.submit(os.getpid) for _ in range(20)]

    assert len({call.result(60) for call in calls}) == 1
    assert len({call.job for call in calls}) == 1
    assert [facts.name for facts in nbbatch.jobs()] == ["executor"]
    assert one.jobs == [calls[0].job]


def test_short_calls_go_together(one: BatchExecutor) -> None:
    """A thousand of them are a few objects in the store, and so are their results."""
    assert [one.submit(pow, 2, 3).result(60) for _ in range(3)] == [8] * 3
    # The pool's thread can take none before all are there.
    with one._pool._lock:
        calls = one.map(abs, range(-1000, 0))
    values = list(calls)

    (job,) = one.jobs
    found = Counter(
        key.split("/")[2] for key, _, _ in current_session().backend.store.list(keys.JOBS)
    )
    assert values == list(range(1000, 0, -1))
    assert found["calls"] < 300
    assert found["returned"] < 300
    assert job.state == "RUNNING"


def test_long_calls_wait_here(executors: Any, tmp_path: Path) -> None:
    """What is not begun can be cancelled, and whichever worker is free first gets the next call."""
    executor = executors(2)
    slow = executor.submit(until, tmp_path / "slow", 1)
    quick = executor.submit(until, tmp_path / "quick", 2)
    left = [executor.submit(pow, 2, n) for n in range(4)]

    assert left[3].cancel()
    assert not slow.cancel()
    (tmp_path / "quick").touch()
    assert [call.result(60) for call in left[:3]] == [1, 2, 4]
    assert {call.job for call in left[:3]} == {quick.job}
    assert left[3].cancelled()
    assert not slow.done()
    (tmp_path / "slow").touch()
    assert slow.result(60) == 1


def test_results_do_not_wait_for_a_long_call(one: BatchExecutor, tmp_path: Path) -> None:
    """Not even for one that was given to the worker together with theirs."""
    assert [one.submit(pow, 2, 3).result(60) for _ in range(3)] == [8] * 3
    # The pool's thread can take none before all are there.
    with one._pool._lock:
        short = [one.submit(pow, 2, n) for n in range(3)]
        long = one.submit(until, tmp_path / "go", 1)

    assert [call.result(60) for call in short] == [1, 2, 4]
    assert not long.done()
    (tmp_path / "go").touch()
    assert long.result(60) == 1


def test_idle_workers_end() -> None:
    """They cost nothing then; the next call starts another."""
    with BatchExecutor(1, idle_timeout=0.05) as executor:
        first = executor.submit(os.getpid)
        assert first.result(60)
        eventually(lambda: not executor.jobs)
        second = executor.submit(os.getpid)

        assert second.result(60) != first.result()
        assert first.job is not None
        assert (first.job.facts.outcome, first.job.result()) == ("ok", None)


def test_calls_per_worker() -> None:
    """After so many another worker takes its place."""
    with BatchExecutor(1, max_tasks_per_child=2) as executor:
        pids = [executor.submit(os.getpid).result(60) for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_the_last_call_of_a_worker(tmp_path: Path) -> None:
    """What is behind it waits for another worker, and nobody seeks room for it meanwhile."""
    with BatchExecutor(1, max_tasks_per_child=2) as executor:
        first = executor.submit(pow, 2, 3)
        assert first.result(60) == 8
        # However long it has been busy, a worker is given calls ahead, if it may get any more.
        executor._pool.pace.worth = 60.0
        with executor._pool._lock:
            last, behind = executor.submit(until, tmp_path / "go", 1), executor.submit(pow, 3, 2)
        eventually(lambda: last.job is not None)
        answers = threading.Event()
        executor._pool.tell(answers.set)
        answered = answers.wait(20)
        (tmp_path / "go").touch()

        assert answered
        assert (last.result(60), behind.result(60)) == (1, 9)
        assert behind.job is not last.job is first.job


def test_an_initializer() -> None:
    """Each worker calls it first; what it leaves behind is there for the calls."""

    def ready(value: int) -> None:
        import os

        os.environ["READY"] = str(value)

    with BatchExecutor(1, initializer=ready, initargs=(7,)) as executor:
        assert executor.submit(os.getenv, "READY").result(60) == "7"


def test_a_module_that_the_workers_lack(
    one: BatchExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Local modules come along; where workers were started without them, others are."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "helpers_of_test.py").write_text("def triple(x):\n    return 3 * x\n")
    import helpers_of_test  # type: ignore[import-not-found]

    first = one.submit(abs, -1)
    assert first.result(60) == 1
    second = one.submit(helpers_of_test.triple, 2)
    third = one.submit(helpers_of_test.triple, 3)

    assert (second.result(60), third.result(60), one.submit(abs, -4).result(60)) == (6, 9, 4)
    assert first.job is not second.job is third.job
    del sys.modules["helpers_of_test"]


def test_in_a_job(one: BatchExecutor) -> None:
    """A call knows its job, and what it prints is in the job's log."""

    def work() -> Any:
        print("hello from", current.job_name)
        return current.job_id

    call = one.submit(work)
    id_ = call.result(60)
    assert call.job is not None
    assert call.job.id == id_
    one.shutdown()
    assert call.job.logs() == "hello from executor\n"


@pytest.mark.parametrize(
    "arguments",
    [{"max_workers": 0}, {"max_tasks_per_child": -1}, {"initializer": 3}],
)
def test_bad_arguments(arguments: Any) -> None:
    """They are refused as `concurrent.futures` does it."""
    with pytest.raises((ValueError, TypeError)):
        BatchExecutor(**arguments)


@pytest.mark.parametrize("settings", [{"cpus": 2}, {"nodes": 2}, {"cpu": -1}, {"backend": "moon"}])
def test_bad_settings(settings: Any) -> None:
    """They are refused before anything is started."""
    with pytest.raises(errors.NbbatchError):
        BatchExecutor(**settings)
    assert nbbatch.jobs() == []


def test_the_pace() -> None:
    """Nothing is known at first; then short calls go in numbers, and long ones alone."""
    pace = Pace("local")
    assert (pace.size(1000, 2), pace.depth) == (1, 1)
    pace.learn(0.001)
    assert (pace.size(1000, 2), pace.size(10, 2), pace.depth) == (100, 5, 2)
    for _ in range(50):
        pace.learn(1.0)
    assert (pace.size(1000, 2), pace.depth) == (1, 1)


def test_an_executors_worker_is_no_result() -> None:
    """With `cache` in the configuration each executor has workers that run."""
    nbbatch.configure(backend="local", cache=True)
    found = []
    for number in range(2):
        with BatchExecutor(max_workers=1) as executor:
            found.append(executor.submit(pow, 2, number).result(timeout=60))

    assert found == [1, 2]
