"""What a job's image must have, and what a job can know about itself."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch import errors, sending
from nbbatch.session import Session


def test_functions_need_the_kernels_python(
    local_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytecode for another Python is refused unread; the error names the image to use."""
    monkeypatch.setattr(sending, "python_version", lambda: "3.8")
    job = nbbatch.batch(lambda: 1).submit()

    with pytest.raises(errors.ImageError) as caught:
        job.result(60)

    assert "Python 3.8" in caught.value.cause
    assert "--image python:3.8" in caught.value.hint
    assert job.facts.outcome == "error"


def test_a_refusal_is_said_once(
    local_session: Session,
    shell: object,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the error below the cell, and not as text of the cell's own too."""
    monkeypatch.setattr(sending, "python_version", lambda: "3.8")
    shell.run_cell("f = lambda: 1").raise_error()  # type: ignore[attr-defined]
    ended = shell.run_cell("%%batch\nf()")  # type: ignore[attr-defined]

    assert isinstance(ended.error_in_exec, errors.ImageError)
    assert "".join(capfd.readouterr()).count("--image python:3.8") == 1


def test_plain_cells_run_on_any_python(
    local_session: Session, shell: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell travels as source: without functions among its values any Python will do."""
    monkeypatch.setattr(sending, "python_version", lambda: "3.8")
    shell.run_cell("xs = [1, 2]").raise_error()  # type: ignore[attr-defined]
    shell.run_cell("%%batch\ntotal = sum(xs)").raise_error()  # type: ignore[attr-defined]

    assert shell.user_ns["total"] == 3  # type: ignore[attr-defined]


def test_current(local_session: Session) -> None:
    """Inside, a job knows its id, attempt and resources; outside there is nothing to know."""

    @nbbatch.batch(cpu=1, memory="1G", retries=1, name="knows")
    def knows() -> list[object]:
        from nbbatch import current

        here = current
        return [
            here.job_id,
            here.job_name,
            here.attempt,
            here.attempts,
            here.batch_job_id,
            dict(here.resources),
            here.queue,
            bool(here),
            here.num_nodes,
            here.array_index,
        ]

    job = knows.submit()
    asked = {"cpu": 1.0, "gpu": 0, "memory": 1024, "image": None}

    assert job.result(60) == [
        job.id, "knows", 1, 2, job.batch_job_id, asked, "local", True, 1, None
    ]  # fmt: skip
    assert not nbbatch.current
    with pytest.raises(errors.UsageError, match="not inside a job"):
        _ = nbbatch.current.job_id
