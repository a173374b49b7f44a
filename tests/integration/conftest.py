"""A notebook in process, and proof that nothing of a job outlives its test."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbbatch.futures import Job
from nbbatch.session import Session, current_session

#: Long enough for a slow machine; a test that passes never waits for it.
_PATIENCE = 60.0


class Notebook:
    """Cells, one after the other, in a real IPython shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.namespace: dict[str, Any] = shell.user_ns

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    def __contains__(self, name: str) -> bool:
        return name in self.namespace

    def run(self, cell: str) -> Any:
        """Run a cell that succeeds; return the value of its last expression."""
        result = self._shell.run_cell(cell, store_history=True)
        result.raise_error()
        return result.result

    def batch(self, body: str, line: str = "") -> Any:
        """Run a ``%%batch`` cell that succeeds."""
        return self.run(f"%%batch {line}\n{body}")

    def failing(self, body: str, line: str = "") -> BaseException:
        """Run a ``%%batch`` cell that raises; return what it raised."""
        result = self._shell.run_cell(f"%%batch {line}\n{body}", store_history=True)
        error: BaseException = result.error_in_exec or result.error_before_exec
        assert error is not None
        return error

    def job(self) -> Job[Any]:
        """Find the last job again, as another kernel would."""
        return attach_last()

    def shown(self, error: BaseException) -> str:
        """Return an exception as the notebook shows it, without colours."""
        return "\n".join(error._render_traceback_())  # type: ignore[attr-defined]


@pytest.fixture
def notebook(local_session: Session, shell: Any) -> Notebook:
    """Open a notebook whose jobs run on this machine."""
    shell.run_line_magic("colors", "nocolor")
    return Notebook(shell)


def attach_last() -> Job[Any]:
    """Attach the job that was started last."""
    session = current_session()
    return session.attach(next(session.jobs()).id)


def until(look: Callable[[], Any]) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def observed(observer: Any) -> Iterator[None]:
    """Have each job that is started meanwhile observed from its first moment on."""
    submit = Session.submit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "submit", lambda self, *work: submit(self, *work[:2], observer))
        yield


def gone(session: Session) -> None:
    """Wait until nothing of all jobs that have ended runs any more, or writes anything."""
    runner = session.backend.runner
    ids = [record.batch_job_id for record in session.jobs() if record.outcome]
    until(lambda: all(status.state.final for status in runner.describe(ids).values()))


def noted(session: Session, job: Job[Any]) -> dict[str, Any]:
    """Return what a running job's supervisor has noted, once it knows the job's process."""
    path = session.settings.home / "local" / job.batch_job_id / "state.json"
    return until(  # type: ignore[no-any-return]
        lambda: "worker" in (facts := json.loads(path.read_text())) and facts
    )


@pytest.fixture
def torch() -> Any:
    """Give PyTorch, where it is installed; where it must be, its absence is a failure."""
    if "NBBATCH_REQUIRE_TORCH" in os.environ:
        return importlib.import_module("torch")
    return pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path, clean_environment: None) -> Iterator[None]:
    """Fail a test that leaves a process of a job, or a thread of ours, behind."""
    yield
    deadline = time.monotonic() + _PATIENCE
    while left := [*_processes(str(tmp_path)), *_threads()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def _processes(mark: str) -> Iterator[str]:
    for pid in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc/self") else ()):
        if int(pid) != os.getpid() and mark in _about(pid):
            yield f"{pid}: {_about(pid)[:200]}"


def _about(pid: str) -> str:
    try:
        return "".join(Path("/proc", pid, name).read_text("utf-8", "replace") for name in _TELLING)
    # It has ended meanwhile.
    except OSError:
        return ""


_TELLING = ("cmdline", "environ")


def _threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("nbbatch")]
