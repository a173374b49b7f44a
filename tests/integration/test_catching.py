"""`@catch` and `--catch`: what goes wrong in a job is a value here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nbbatch import batch, catch, environment, retry, timeout
from nbbatch.errors import JobCancelledError, JobTimeoutError, OptionError, ProcessDiedError
from nbbatch.session import Session, current_session
from tests.integration.conftest import Notebook

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("local_session")]

problem: Any = "untouched"


HALF = """
from nbbatch import batch, catch

@catch(var="problem")
@batch
def half(x):
    if not x:
        raise ValueError("nothing to halve")
    return x / 2
"""


def test_a_call(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    """It returns None, shows what went wrong, and binds it in the function's own module."""
    notebook.run(HALF)
    assert notebook.run("half(0)") is None
    assert isinstance(notebook["problem"], ValueError)
    said = capsys.readouterr().err
    assert "nothing to halve" in said
    assert '----> 7         raise ValueError("nothing to halve")' in said
    assert notebook.run("half(3)") == 1.5
    assert notebook["problem"] is None


def test_a_future(local_session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """Its result is None, and the exception stands beside it, also when it is found again."""

    @batch
    @catch(print_exception=False)
    def fail() -> None:
        raise KeyError("gone")

    job = fail.submit()
    assert job.result(60) is None
    assert job.exception() is None
    assert isinstance(job.caught, KeyError)
    assert next(local_session.jobs()).outcome == "error"
    again = local_session.attach(job.id)
    assert again.result(60) is None
    assert isinstance(again.caught, KeyError)
    assert "gone" not in capsys.readouterr().err


def test_a_job_that_is_lost() -> None:
    """The death of the process and the end of its time are caught, after all attempts."""

    @retry(times=1, minutes_between_retries=0)
    @catch
    @batch
    def die() -> None:
        import os

        os._exit(3)

    @timeout(seconds=1)
    @catch
    @batch
    def linger() -> None:
        import time

        time.sleep(600)

    died, late = die.submit(), linger.submit()
    assert died.result(60) is None
    assert isinstance(died.caught, ProcessDiedError)
    assert died.facts.attempt == 2
    assert late.result(90) is None
    assert isinstance(late.caught, JobTimeoutError)


def test_what_is_not_caught() -> None:
    """A job that was cancelled, or never started, raises all the same."""

    @batch
    @catch
    def wait() -> None:
        import time

        time.sleep(600)

    job = wait.submit()
    assert job.cancel()
    with pytest.raises(JobCancelledError):
        job.result(60)
    assert job.caught is None
    with pytest.raises(OptionError):
        wait.options(executable="no-such-python")()


def test_inside_a_job(notebook: Notebook) -> None:
    """There a function just runs, and raises: the job that it runs in has its own `@catch`."""
    notebook.run(HALF)
    notebook.batch("try:\n    half(0)\nexcept ValueError as error:\n    said = str(error)")
    assert notebook["said"] == "nothing to halve"
    assert "problem" not in notebook


def test_awaiting(capsys: pytest.CaptureFixture[str]) -> None:
    """An ``async`` function's call catches as well."""

    @catch(var="problem")
    @batch
    async def fail() -> None:
        raise LookupError("later")

    assert asyncio.run(fail()) is None
    assert isinstance(problem, LookupError)
    assert "later" in capsys.readouterr().err


def test_a_cell(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    """What the cell had bound comes back, and what it raised is the variable's value."""
    notebook.batch("before = 1\nraise ValueError('no more')", "--catch problem")
    assert notebook["before"] == 1
    assert isinstance(notebook["problem"], ValueError)
    said = capsys.readouterr().err
    assert "no more" in said
    assert "Cell In[1]" in said
    assert "nbbatch" not in said
    notebook.batch("after = 2", "--catch problem")
    assert notebook["problem"] is None
    notebook.batch("1 / 0", "--catch --no-print-exception")
    assert "ZeroDivisionError" not in capsys.readouterr().err
    assert "problem" in notebook


def test_attaching_a_cell(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell that was let go is caught when it is fetched."""
    notebook.batch("raise ValueError('too late')", "--detach --as job --catch problem")
    job = notebook["job"]
    assert job.wait(60)
    assert "problem" not in notebook
    notebook.run(f"%batch attach {job.id}")
    assert isinstance(notebook["problem"], ValueError)
    assert "too late" in capsys.readouterr().err


def test_variables_of_the_environment(notebook: Notebook, monkeypatch: Any) -> None:
    """They are there before the code runs, in the job alone."""
    import os

    monkeypatch.setenv("NBTEST_MODE", "here")

    @environment(vars={"NBTEST_MODE": "there", "NBTEST_WORDS": "two words = one ü"})
    @batch(environment={"NBTEST_LEVEL": "3"})
    def look() -> list[str | None]:
        return [os.environ.get(f"NBTEST_{name}") for name in ("MODE", "WORDS", "LEVEL")]

    assert look.submit().result(60) == ["there", "two words = one ü", "3"]
    assert look.local() == ["here", None, None]
    line = "--environment NBTEST_MODE=cell --environment NBTEST_LEVEL=4"
    notebook.batch("import os\nseen = os.environ['NBTEST_MODE'] + os.environ['NBTEST_LEVEL']", line)
    assert notebook["seen"] == "cell4"
    assert os.environ["NBTEST_MODE"] == "here"
    assert current_session().settings.backend == "local"
