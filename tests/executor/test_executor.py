"""`BatchExecutor` on this machine: workers that stay, and what becomes of calls."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, as_completed, wait
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import BatchExecutor, current, errors
from nbbatch.executor.pace import Pace
from nbbatch.session import current_session
from nbbatch.wire import keys
from tests.integration.conftest import Notebook

pytestmark = pytest.mark.usefixtures("local_session")


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


until, die, fail, lock = functions()


def eventually(look: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def executors() -> Iterator[Callable[..., BatchExecutor]]:
    """Make executors; whatever they still do when the test ends is stopped."""
    made = []

    def make(*args: Any, **settings: Any) -> BatchExecutor:
        made.append(BatchExecutor(*args, **settings))
        return made[-1]

    yield make
    for executor in made:
        executor.terminate_workers()
        executor.shutdown()


@pytest.fixture
def one(executors: Any) -> BatchExecutor:
    """Give an executor with one worker."""
    found: BatchExecutor = executors(1)
    return found


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
    values = list(one.map(abs, range(-1000, 0)))

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


def test_exceptions(one: BatchExecutor) -> None:
    """They come back as themselves, with the traceback that they had there."""
    with pytest.raises(ValueError, match="gone") as caught:
        one.submit(fail, "gone").result(60)

    frames = [(entry.name, str(entry.path)) for entry in caught.traceback]
    assert frames[-1] == ("fail", __file__)
    assert isinstance(caught.value.__cause__, KeyError)
    assert one.submit(pow, 2, 3).exception(60) is None


def test_the_first_exception_is_seen(one: BatchExecutor, tmp_path: Path) -> None:
    """`wait` returns with it, though nobody has unpickled it; so does `as_completed`."""
    calls = [one.submit(pow, 2, 3), one.submit(fail, "x"), one.submit(until, tmp_path / "go")]
    done, left = wait(calls, 60, FIRST_EXCEPTION)
    (tmp_path / "go").touch()

    assert (done, left) == (set(calls[:2]), {calls[2]})
    # Those that are done already come in any order.
    raised = {call: call.exception() for call in as_completed(calls, 60)}
    assert isinstance(raised.pop(calls[1]), ValueError)
    assert raised == {calls[0]: None, calls[2]: None}


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


def test_what_does_not_pickle(one: BatchExecutor) -> None:
    """It is the error of its call alone, and a PicklingError to those who know only that."""
    for call in (one.submit(print, threading.Lock()), one.submit(lock)):
        error = call.exception(60)
        assert isinstance(error, errors.NotPicklableError)
        assert isinstance(error, pickle.PicklingError)

    class Odd:
        def __reduce__(self) -> Any:
            # Its home is here: it can be made there, and not be rebuilt here.
            return eval, ("1 if __import__('os').environ.get('NBBATCH_CURRENT') else 1 / 0",)

    def odd() -> Any:
        class Back:
            def __reduce__(self) -> Any:
                return divmod, (1, 0)

        return Back()

    assert one.submit(abs, Odd()).result(60) == 1
    assert isinstance(one.submit(odd).exception(60), ZeroDivisionError)
    assert isinstance(one.submit(abs, odd()).exception(60), errors.ImageError)
    assert one.submit(pow, 2, 3).result(60) == 8


def test_a_worker_that_dies(one: BatchExecutor, tmp_path: Path) -> None:
    """Its call says why; those that it was given and had not begun are made by another one."""

    def wait_and_die(path: Path) -> None:
        until(path)
        die()

    first = one.submit(pow, 2, 3)
    assert first.result(60) == 8
    dead = one.submit(wait_and_die, tmp_path / "go")
    eventually(lambda: dead.job is not None)
    # So short were calls so far that the worker is given the next ones while it is busy.
    one._pool.pace.worth = 60.0
    others = [one.submit(pow, 2, n) for n in range(3)]
    eventually(lambda: others[0].job is not None)
    (tmp_path / "go").touch()

    assert isinstance(dead.exception(60), errors.ProcessDiedError)
    assert [call.result(60) for call in others] == [1, 2, 4]
    assert others[0].job is not dead.job is first.job
    assert first.result() == 8


def test_a_worker_that_is_cancelled(one: BatchExecutor, tmp_path: Path) -> None:
    """Whoever cancels the job (`%batch cancel`) cancels what it does now."""
    call, later = one.submit(until, tmp_path / "never"), one.submit(pow, 2, 3)
    eventually(lambda: call.job is not None and call.job.running())
    assert call.job is not None
    call.job.cancel()

    with pytest.raises(concurrent.futures.CancelledError):
        call.result(60)
    assert later.result(60) == 8


def test_the_next_attempt_goes_on(tmp_path: Path) -> None:
    """With `retries` only what was not given back is done again."""
    marks = tmp_path / "marks"
    with BatchExecutor(1, retries=1) as executor:
        ready = executor.submit(os.getpid)
        first = ready.result(60)
        again = executor.submit(die, marks)
        last = executor.submit(os.getpid)

        assert again.result(60) == "second"
        assert last.result(60) != first
        assert last.job is ready.job
    assert marks.read_text() == "begun\nbegun\n"


def test_an_initializer() -> None:
    """Each worker calls it first; what it leaves behind is there for the calls."""

    def ready(value: int) -> None:
        import os

        os.environ["READY"] = str(value)

    with BatchExecutor(1, initializer=ready, initargs=(7,)) as executor:
        assert executor.submit(os.getenv, "READY").result(60) == "7"


def test_an_initializer_that_fails() -> None:
    """All calls say so, those to come as well; the cause is what it raised."""
    with BatchExecutor(1, initializer=fail, initargs=("unready",)) as executor:
        calls = [executor.submit(pow, 2, n) for n in range(3)]
        for call in calls:
            error = call.exception(60)
            assert isinstance(error, errors.BrokenExecutorError)
            assert isinstance(error, concurrent.futures.BrokenExecutor)
            assert "ValueError: unready" in str(error)
            assert isinstance(error.__cause__, ValueError)
        with pytest.raises(errors.BrokenExecutorError):
            executor.submit(pow, 2, 3)


def test_jobs_that_can_not_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls say why."""
    executor = BatchExecutor(1)
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    call = executor.submit(pow, 2, 3)
    assert isinstance(call.exception(60), errors.BrokenExecutorError)
    monkeypatch.chdir(tmp_path)
    executor.shutdown()


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


def test_no_call_is_lost_when_a_worker_goes() -> None:
    """A call that is given to a worker at the very moment when it ends is made by another."""
    with BatchExecutor(1, idle_timeout=0.0) as executor:
        calls = [executor.submit(pow, 2, n) for n in range(3)]
        assert [call.result(60) for call in calls] == [1, 2, 4]
        for n in range(4):
            assert executor.submit(pow, 3, n).result(60) == 3**n


def test_calls_per_worker() -> None:
    """After so many another worker takes its place."""
    with BatchExecutor(1, max_tasks_per_child=2) as executor:
        pids = [executor.submit(os.getpid).result(60) for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_map(one: BatchExecutor) -> None:
    """In order, in chunks as well; what one raises is raised in its place."""
    assert list(one.map(pow, range(7), range(7), chunksize=3)) == [n**n for n in range(7)]
    assert list(one.map(pow, [], [])) == []
    values = one.map(divmod, [1, 1], [1, 0])
    assert next(values) == (1, 0)
    with pytest.raises(ZeroDivisionError):
        next(values)
    with pytest.raises(ValueError, match="chunksize"):
        one.map(abs, [1], chunksize=0)


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
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "4\ncannot schedule new futures after interpreter shutdown\n"
    assert (tmp_path / "made").read_text() == "made"


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


def test_in_a_notebook(notebook: Notebook) -> None:
    """Functions of cells see the variables that they use, as they are when they are submitted."""
    notebook.run("from nbbatch import BatchExecutor\nfactor = 2\ndef f(x): return factor * x")
    notebook.run(
        "with BatchExecutor(1) as e:\n"
        "    a = e.submit(f, 1)\n    first = a.result(60)\n    factor = 3\n"
        "    second = list(e.map(f, [1, 2]))"
    )
    assert (notebook["first"], notebook["second"]) == (2, [3, 6])
    result = notebook._shell.run_cell(
        "def g(x):\n    return 1 / x\nwith BatchExecutor(1) as e:\n    e.submit(g, 0).result(60)"
    )
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert "return 1 / x" in notebook.shown(result.error_in_exec)


def test_asyncio(one: BatchExecutor) -> None:
    """`run_in_executor` takes it; values are unpickled in the loop's thread."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(one, pow, 2, n) for n in range(4)]
        bad = loop.run_in_executor(one, fail, "x")
        return await asyncio.gather(*calls, bad, return_exceptions=True)

    *values, error = asyncio.run(main())
    assert values == [1, 2, 4, 8]
    assert isinstance(error, ValueError)


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
            found.append(executor.submit(pow, 2, number).result(timeout=30))

    assert found == [1, 2]
