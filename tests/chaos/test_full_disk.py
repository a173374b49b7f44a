"""The kernel's own disk is full: jobs elsewhere go on, and nothing here is left half written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, errors
from nbbatch.session import current_session
from tests import disks
from tests.chaos.conftest import Account, opened
from tests.chaos.test_faults import until

pytestmark = pytest.mark.thorough

PATIENCE = 120.0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Put the home of this process on a disk of 4 MB."""
    with disks.small_disk(tmp_path / "home", 4) as home:
        yield home


@pytest.fixture
def account(small: Path, tmp_path: Path) -> Iterator[Account]:
    """Open an account whose jobs have all the room that they want."""
    with opened(tmp_path) as found:
        yield found


def fill(folder: Path) -> Path:
    """Leave no byte on a folder's disk."""
    junk = folder / "junk"
    with junk.open("wb", buffering=0) as file:
        size = 65536
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
    return junk


def _function() -> Any:
    # Inside a function, so that it travels by value, without this module.
    @batch
    def work(diary: str, gate: str = "") -> bytes:
        import time

        with open(diary, "a") as file:
            file.write("ran\n")
        print("begun", flush=True)
        while gate and not os.path.exists(gate):
            time.sleep(0.02)
        for number in range(20_000):
            print("line", number)
        return b"x" * (8 << 20)

    return work


def test_a_job_that_runs_meanwhile(account: Account, small: Path, tmp_path: Path) -> None:
    """It is followed to its end, and attached, without a byte; what can't be is said, once."""
    work, diary, gate = _function(), tmp_path / "diary", tmp_path / "gate"
    job = work.submit(str(diary), str(gate))
    while "begun" not in job.logs():
        assert not job.done()
    noted = record_of(small, job.id)
    junk = fill(small)
    gate.touch()

    assert len(job.result(PATIENCE)) == 8 << 20
    assert job.logs().endswith("line 19999\n")
    again = nbbatch.attach(job.id)
    assert len(again.result(PATIENCE)) == 8 << 20
    assert [facts.id for facts in nbbatch.jobs()] == [job.id]
    keys = {key for key, _, _ in current_session().backend.store.list("")}
    with pytest.raises(errors.StorageFullError, match="No space left") as caught:
        work.submit(str(diary))
    assert caught.value.hint
    assert "can't be noted" in caught.value.what
    assert {key for key, _, _ in current_session().backend.store.list("")} == keys
    assert len(account.rig.batch.jobs) == 1
    # What was noted before is whole, and there is no half of anything beside it.
    assert record_of(small, job.id) == noted
    assert [path.name for path in (small / "jobs").iterdir()] == [f"{job.id}.json"]
    for path in (small / "cache").rglob("*.json"):
        json.loads(path.read_text())

    junk.unlink()
    assert nbbatch.attach(job.id).wait(PATIENCE)
    assert record_of(small, job.id)["outcome"] == "ok"
    assert len(work.submit(str(diary)).result(PATIENCE)) == 8 << 20
    assert diary.read_text() == "ran\nran\n"


def test_a_job_that_was_just_started(
    account: Account, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its id could not be noted any more: another kernel finds it by its name, once."""
    start = current_session().backend.runner.start

    def filled(launch: Any) -> str:
        fill(small)
        found = str(start(launch))
        # What was written anew meanwhile may have left some room.
        fill(small)
        return found

    monkeypatch.setattr(current_session().backend.runner, "start", filled)
    job = _function().submit(str(tmp_path / "diary"), str(tmp_path / "gate"))
    assert job.batch_job_id
    assert record_of(small, job.id)["batch_job_id"] == ""
    again = nbbatch.attach(job.id)
    # Nobody looks for the id of one that has ended.
    until(lambda: bool(again.batch_job_id))
    assert again.batch_job_id == job.batch_job_id
    (tmp_path / "gate").touch()

    assert len(again.result(PATIENCE)) == len(job.result(PATIENCE)) == 8 << 20
    assert (tmp_path / "diary").read_text() == "ran\n"


def record_of(home: Path, id_: str) -> dict[str, Any]:
    """Read what is noted of a job."""
    found: dict[str, Any] = json.loads((home / "jobs" / f"{id_}.json").read_text())
    return found
