"""One fault at a time: what is told about it, and that everything goes on afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch
from nbbatch.backends.aws import sheets, transfer
from nbbatch.backends.aws.submit import Submitter
from nbbatch.errors import CredentialsError
from nbbatch.futures import Job
from nbbatch.futures.array.job import ArrayJob
from nbbatch.session import current_session
from tests.chaos.conftest import Account
from tests.chaos.faults import Asked

pytestmark = pytest.mark.thorough

PATIENCE = 120.0


def _function() -> Any:
    # Inside a function, so that it travels by value, without this module.
    @batch
    def work(diary: str, gate: str = "") -> int:
        import os
        import time

        with open(diary, "a") as file:
            file.write("ran\n")
        while gate and not os.path.exists(gate):
            time.sleep(0.02)
        return 5

    return work


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def until_said(job: Job[Any], part: str) -> str:
    """Wait until a card says something; return all that it says then."""
    said = [""]

    def says() -> bool:
        said[0] = job.facts.message
        return part in said[0]

    until(says)
    return said[0]


def first(fault: str, path: str, method: str = "") -> Callable[[Asked], str | None]:
    """Return a rule: the first request to a path goes wrong, all others well."""
    return nth(1, fault, path, method)


def nth(turn: int, fault: str, path: str, method: str = "") -> Callable[[Asked], str | None]:
    """Return the same rule about another request than the first."""
    turns = iter([*[""] * (turn - 1), fault])

    def rule(asked: Asked) -> str | None:
        fits = path in asked.path and asked.method.startswith(method)
        return next(turns, "") if fits else ""

    return rule


def test_credentials_that_end_while_somebody_waits(account: Account, tmp_path: Path) -> None:
    """The card says so, and what to do; once they are renewed it goes on by itself."""
    diary, gate = tmp_path / "diary", tmp_path / "gate"
    job = _function().submit(str(diary), str(gate))
    until(diary.exists)
    for faults in (account.s3, account.batch):
        faults.expired.add("first")
    gate.touch()
    said = until_said(job, "ExpiredToken")
    assert "goes on by itself" in said
    assert "aws sso login" in said
    assert not job.done()

    account.sign_in("second")
    assert job.result(PATIENCE) == 5
    assert diary.read_text() == "ran\n"


def test_a_call_with_credentials_that_were_renewed_elsewhere(account: Account) -> None:
    """Whoever has signed in again in a terminal needs not tell the kernel."""
    store = current_session().backend.store
    assert store.put("probe/x", [b"x"])
    account.renew("second", "first")

    assert store.get("probe/x") == b"x"
    assert current_session().backend.runner.describe(["none"]) == {}
    account.s3.expired.add("second")
    with pytest.raises(CredentialsError, match="ExpiredToken"):
        store.get("probe/x")


def test_an_answer_that_was_lost_and_nobody_can_tell(account: Account, tmp_path: Path) -> None:
    """It is found as soon as Batch can be asked again, and has run once."""
    lost = first("reset after", "submitjob")
    away = [True]

    def rule(asked: Asked) -> str | None:
        return "skewed" if away and "listjobs" in asked.path else lost(asked)

    account.batch.rule = rule
    job = _function().submit(str(tmp_path / "diary"), str(tmp_path / "gate"))
    assert job.batch_job_id == ""
    until_said(job, "goes on by itself")
    away.clear()
    until(lambda: bool(job.batch_job_id))
    assert next(current_session().jobs()).batch_job_id == job.batch_job_id
    (tmp_path / "gate").touch()

    assert job.result(PATIENCE) == 5
    assert (tmp_path / "diary").read_text() == "ran\n"
    assert len(account.rig.batch.jobs) == 1


def test_a_duplicate(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Batch has two jobs after all, one runs, and that one is followed."""
    monkeypatch.setattr(Submitter, "find", lambda *_: None)
    account.batch.rule = first("reset after", "submitjob")
    job = _function().submit(str(tmp_path / "diary"), str(tmp_path / "gate"))
    two = account.rig.batch.jobs
    assert len(two) == 2
    until(lambda: "SUCCEEDED" in [each.status for each in two.values()])
    (runs,) = (id_ for id_, each in two.items() if each.status != "SUCCEEDED")
    until(lambda: job.batch_job_id == runs)
    (tmp_path / "gate").touch()

    assert job.result(PATIENCE) == 5
    assert (tmp_path / "diary").read_text() == "ran\n"
    assert next(current_session().jobs()).batch_job_id == runs


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_a_clock_that_is_off(
    account: Account, tmp_path: Path, ahead: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Here as in a job, AWS's time is taken from what it says; one line tells, and all goes on."""
    account.s3.ahead = account.batch.ahead = ahead
    job = _function().submit(str(tmp_path / "diary"))
    assert job.result(PATIENCE) == 5
    word = "behind" if ahead > 0 else "ahead of"
    (said,) = (each.getMessage() for each in caplog.records if each.name.startswith("nbbatch."))
    assert said == f"this machine's clock is 60 minutes {word} AWS's; what is sent names AWS's time"
    skewed = account.s3.seen["skewed"]

    # A HEAD's refusal does not say why; what is known is not found out again.
    assert current_session().backend.store.size("none") is None
    assert nbbatch.attach(job.id).result(PATIENCE) == 5
    assert account.s3.seen["skewed"] == skewed
    # And once it is set.
    account.s3.ahead = account.batch.ahead = 0
    assert current_session().backend.store.size("none") is None
    assert nbbatch.attach(job.id).result(PATIENCE) == 5
    assert (tmp_path / "diary").read_text() == "ran\n"


def test_a_clock_that_nothing_is_known_about(account: Account, tmp_path: Path) -> None:
    """Where AWS goes on refusing, the error says what to do, and nothing has been started."""
    account.s3.rule = lambda asked: "skewed"
    with pytest.raises(CredentialsError) as caught:
        _function().submit(str(tmp_path / "diary"))
    assert caught.value.hint == "set this machine's clock"
    assert not account.rig.batch.jobs

    account.s3.rule = lambda asked: None
    account.rig.batch.place.capacity.clear()
    job = _function().submit(str(tmp_path / "diary"))
    account.s3.rule = lambda asked: "skewed"
    until_said(job, "next: set this machine's clock")
    account.s3.rule = lambda asked: None
    account.rig.batch.place.capacity.set()
    assert job.result(PATIENCE) == 5


@pytest.mark.parametrize("path", ["describejobs", "submitjob"])
def test_an_answer_that_breaks_off(account: Account, tmp_path: Path, path: str) -> None:
    """Half of an answer is none: botocore alone would take it for a whole one."""
    account.batch.rule = first("cut", path)
    assert _function().submit(str(tmp_path / "diary")).result(PATIENCE) == 5
    assert account.batch.seen["cut"] == 1
    assert (tmp_path / "diary").read_text() == "ran\n"


def test_a_list_that_breaks_off(account: Account) -> None:
    """The same of a list of objects, and of an object."""
    store = current_session().backend.store
    for number in range(5):
        store.put(f"probe/{number}", [b"x" * 1000])
    account.s3.rule = first("cut", "list-type")
    assert len(list(store.list("probe/"))) == 5
    account.s3.rule = first("cut", "probe/3")
    assert store.get("probe/3") == b"x" * 1000
    assert account.s3.seen["cut"] == 2


def test_a_write_whose_answer_was_lost(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wrote an object knows it, whole or in parts; who was second knows that too."""
    store = current_session().backend.store
    account.s3.rule = first("reset after", "probe/x", "PUT")
    assert store.put("probe/x", [b"mine"], if_absent=True)
    account.s3.rule = first("reset after", "probe/x", "PUT")
    assert not store.put("probe/x", [b"another's"], if_absent=True)
    monkeypatch.setattr(transfer, "LARGE", 1000)
    account.s3.rule = first("reset after", "uploadId", "POST")
    assert store.put("probe/large", [os.urandom(5000)])
    assert account.s3.seen["reset after"] == 3


def test_a_store_that_answers_slowly(account: Account, tmp_path: Path) -> None:
    """Everything takes longer, and nothing else."""
    account.s3.rates, account.s3.slowness = {"slow": 1.0}, 0.2
    job = _function().submit(str(tmp_path / "diary"))
    assert job.result(PATIENCE) == 5
    assert nbbatch.attach(job.id).result(PATIENCE) == 5


@pytest.fixture
def small_sheets(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Have Batch take three children in an array job, and no more."""
    monkeypatch.setattr(sheets, "MOST_CHILDREN", 3)
    return account


def squares() -> Any:
    """Return a function whose calls are counted."""

    @batch
    def square(number: int, diary: str) -> int:
        import os

        file = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{number}\n".encode())
        os.close(file)
        return number * number

    return square


def test_an_answer_about_a_part_of_an_array_that_was_lost(
    small_sheets: Account, tmp_path: Path
) -> None:
    """The other parts are submitted; once Batch can be asked all are found, and have run once."""
    lost, away = nth(2, "reset after", "submitjob"), [True]

    def rule(asked: Asked) -> str | None:
        return "failed" if away and "listjobs" in asked.path else lost(asked)

    diary = tmp_path / "diary"
    small_sheets.batch.rule = rule
    job = squares().map(range(7), diary=str(diary))
    assert (job.batch_job_id, len(small_sheets.rig.batch.jobs)) == ("", 3)
    away.clear()

    assert job.result(PATIENCE) == [n * n for n in range(7)]
    assert sorted(diary.read_text().split()) == [str(n) for n in range(7)]
    assert len(small_sheets.rig.batch.jobs) == 3
    assert set(job.batch_job_id.replace("*", "").split(",")) == set(small_sheets.rig.batch.jobs)


_MAPS = """
import sys
from nbbatch.backends.aws import sheets
from tests.chaos.test_faults import squares
sheets.MOST_CHILDREN = 3
squares().map(range(7), diary=sys.argv[1])
"""


def test_a_kernel_killed_between_two_parts_of_an_array(
    small_sheets: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was submitted is followed, the rest has failed and can be tried again; once."""
    monkeypatch.setattr(sheets, "_SUBMITTING", 3.0)
    diary = tmp_path / "diary"
    third = nth(3, "reset before", "submitjob")

    def rule(asked: Asked) -> str | None:
        fault = third(asked)
        if fault:
            kernel.kill()
        return fault

    small_sheets.batch.rule = rule
    kernel = subprocess.Popen([sys.executable, "-c", _MAPS, str(diary)], env=settings(small_sheets))
    assert kernel.wait(PATIENCE) == -signal.SIGKILL

    (record,) = current_session().jobs()
    assert record.batch_job_id == ""
    job = nbbatch.attach(record.id)
    assert isinstance(job, ArrayJob)
    assert job.wait(PATIENCE)
    assert [job[n] for n in range(6)] == [n * n for n in range(6)]
    assert "was never submitted" in str(job.errors()[6])
    assert job.retry_failed().result(PATIENCE)[6] == 36
    assert sorted(diary.read_text().split()) == [str(n) for n in range(7)]
    assert len(small_sheets.rig.batch.jobs) == 3


def settings(account: Account) -> dict[str, str]:
    """Return the environment of another kernel of this user."""
    return {
        **os.environ,
        "NBBATCH_BACKEND": "aws",
        "NBBATCH_S3_ROOT": f"s3://{account.rig.bucket}/root",
        "NBBATCH_QUEUE": "queue",
        "NBBATCH_IAM_ROLE": "arn:aws:iam::123456789012:role/job",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
