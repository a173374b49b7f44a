"""Cancel at the very moment at which something else happens to the job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nbbatch import batch, errors
from nbbatch.session import Session
from tests.integration.conftest import until


def waiting(go: Path) -> Any:
    """Make a function that returns once a file is there."""
    path = str(go)

    def wait(x: int = 0) -> int:
        import os
        import time

        print("begun")
        while not os.path.exists(path):
            time.sleep(0.02)
        return x

    return wait


def test_the_end_comes_before_the_answer(
    local_session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An array whose children have all told of their end by then was cancelled, not broken."""
    job = batch(cpu=0.1)(waiting(tmp_path / "go")).map(range(2))
    until(lambda: job.logs().count("begun") == 2)
    runner = local_session.backend.runner
    stop, describe = runner.stop, runner.describe

    def slow(ids: Any, reason: str) -> None:
        stop(ids, reason)
        # Nor has the backend said a word of it yet.
        monkeypatch.setattr(runner, "describe", lambda ids: {})
        assert job.wait(60)
        monkeypatch.setattr(runner, "describe", describe)

    monkeypatch.setattr(runner, "stop", slow)
    assert job.cancel()

    assert job.facts.outcome == "cancelled"
    with pytest.raises(errors.JobCancelledError):
        job.result(60)


def test_what_could_not_be_stopped(
    local_session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The error is raised, and the job runs on as if nobody had asked."""
    job = batch(waiting(tmp_path / "go")).submit(3)

    def refused(ids: Any, reason: str) -> None:
        raise errors.BackendError("not today", "no reason", "try again")

    with monkeypatch.context() as patched:
        patched.setattr(local_session.backend.runner, "stop", refused)
        with pytest.raises(errors.BackendError, match="not today"):
            job.cancel()
    (tmp_path / "go").touch()

    assert job.result(60) == 3
    assert not job._tracker.cancelled_here


def test_the_job_is_found_at_that_moment(
    local_session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where nobody knew yet what the backend calls it, whoever finds that out ends it."""
    job = batch(waiting(tmp_path / "go")).submit()
    stop, calls = type(job)._stop, []

    def stopped(self: Any) -> None:
        calls.append(self)
        if len(calls) > 1:
            stop(self)
        else:
            self._locate()

    monkeypatch.setattr(type(job), "_stop", stopped)
    assert job.cancel()

    assert calls == [job, job]
    with pytest.raises(errors.JobCancelledError):
        job.result(60)
