"""What becomes of calls that raise, do not pickle, or whose worker dies or can not start."""

from __future__ import annotations

import concurrent.futures
import os
import pickle
import threading
from concurrent.futures import FIRST_EXCEPTION, as_completed, wait
from pathlib import Path
from typing import Any

import pytest

from nbbatch import BatchExecutor, errors
from tests.executor import stages
from tests.executor.stages import die, eventually, fail, lock, until

pytestmark = pytest.mark.usefixtures("local_session")


def test_exceptions(one: BatchExecutor) -> None:
    """They come back as themselves, with the traceback that they had there."""
    with pytest.raises(ValueError, match="gone") as caught:
        one.submit(fail, "gone").result(60)

    frames = [(entry.name, str(entry.path)) for entry in caught.traceback]
    assert frames[-1] == ("fail", stages.__file__)
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


def test_an_initializer_that_fails() -> None:
    """All calls say so, those to come as well; the cause is what it raised."""
    with BatchExecutor(1, initializer=fail, initargs=("unready",)) as executor:
        # Nothing is taken before all are there: the next one would be refused at once.
        with executor._pool._lock:
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
