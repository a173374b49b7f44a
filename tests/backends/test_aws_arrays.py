"""Array jobs on AWS Batch: one job, whose children are known by what they leave in the store."""

from __future__ import annotations

import os
import signal
import time

import batch_server
import pytest
import stub

import nbbatch
from nbbatch import batch, errors
from nbbatch.facts import Loss, State

pytestmark = pytest.mark.thorough


def test_an_array_of_six(account):
    """Submitted with one call; each child knows its place, and the values come in order."""

    def work(x, y):
        from nbbatch import current

        if x == 4:
            raise ValueError("boom")
        return x * y, current.array_index, current.array_size

    job = batch(work).map(range(6), y=10)
    found = list(job.results(stub.PATIENCE, return_exceptions=True))

    assert found[:4] == [(10 * n, n, 6) for n in range(4)]
    assert (str(found[4]), found[5]) == ("boom", (50, 5, 6))
    assert job.wait(stub.PATIENCE)
    assert (job.facts.outcome, job.facts.message) == (
        "error",
        "1 of 6 failed: child 4: ValueError: boom",
    )
    sent = [body for name, body in account.batch.calls if name == "submitjob"]
    assert [body["arrayProperties"] for body in sent] == [{"size": 6}]
    # What the children have left says it all: none of them was asked about.
    assert account.batch.count()["listjobs"] == 0
    assert not any(":" in id_ for _, body in account.batch.calls for id_ in body.get("jobs", ()))


def test_a_child_that_dies_without_a_word(account):
    """Batch is asked which of them have failed, and why; the others are not held up."""

    def work(x):

        if x == 1:
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        return x

    job = batch(work).map(range(3))
    assert job.wait(stub.PATIENCE)
    assert list(job.errors()) == [1]
    error = job.errors()[1]
    assert isinstance(error, errors.ProcessDiedError)
    assert error.what.startswith("child 1 of 3 of job ")
    assert (job[0], job[2]) == (0, 2)
    assert job.facts.children.failed[0].index == 1
    assert "137" in job.facts.children.failed[0].message
    assert account.batch.count()["listjobs"] <= 2


def test_cancel_ends_all_children(account):
    """Those that run and those that wait."""

    def work(x):

        time.sleep(300 * x)
        return x

    job = batch(work).map(range(8))
    assert job[0] == 0
    assert job.cancel()
    with pytest.raises(errors.JobCancelledError):
        job.result(stub.PATIENCE)
    assert job.facts.outcome == "cancelled"
    assert job[0] == 0
    with pytest.raises(errors.JobCancelledError):
        job[7]


def test_each_child_has_attempts_of_its_own(account):
    """One that fails is tried again, the others are not."""

    def work(x):
        from nbbatch import current

        if x == 1 and current.attempt == 1:
            raise ValueError("again")
        return x, current.attempt

    job = batch(retries=1)(work).map(range(3))

    assert job.result(stub.PATIENCE) == [(0, 1), (1, 2), (2, 1)]
    assert job.facts.outcome == "ok"


def test_what_batch_counts(account):
    """The runner tells how many children are in which state, and which have failed."""
    runner = account.backend.runner
    account.batch.place.capacity.clear()

    def work(x):
        raise SystemExit(x)

    job = batch(work).map(range(3))
    id_ = job.batch_job_id
    look = lambda: runner.describe([id_])[id_]
    waits = stub.until(look, lambda status: status.children.get(State.RUNNABLE) == 3)
    account.batch.place.capacity.set()
    ended = stub.until(look, lambda status: status.state.final)

    assert waits.state is State.PENDING
    assert ended.children == {State.FAILED: 3}
    assert set(runner.failed(id_)) == {0, 1, 2}
    assert {status.loss for status in runner.failed(id_).values()} == {Loss.EXIT}
    assert runner.describe([f"{id_}:1"])[f"{id_}:1"].state is State.FAILED
    assert job.wait(stub.PATIENCE)


@pytest.fixture
def small_sheets(account, monkeypatch):
    """Have Batch take three children in an array job, and no more."""
    monkeypatch.setattr("nbbatch.backends.aws.sheets.MOST_CHILDREN", 3)
    return account


def places():
    @batch
    def work(x):
        import os

        from nbbatch import current

        if x == 4:
            os.kill(os.getppid(), 9)
            os.kill(os.getpid(), 9)
        if x == 5:
            raise ValueError("boom")
        return x, current.array_index, current.array_size

    return work


def test_more_children_than_batch_takes(small_sheets):
    """Several array jobs of Batch are one job here: one id, one sequence, one end."""
    job = places().map(range(7))
    assert job.wait(stub.PATIENCE)

    sent = [body for name, body in small_sheets.batch.calls if name == "submitjob"]
    assert [body.get("arrayProperties") for body in sent] == [{"size": 3}, {"size": 3}, None]
    assert len({body["jobName"] for body in sent}) == 3
    assert list(job.errors()) == [4, 5]
    assert [job[n] for n in (0, 1, 2, 3, 6)] == [(n, n, 7) for n in (0, 1, 2, 3, 6)]
    assert "137" in str(job.errors()[4])
    assert "child 4 of 7" in str(job.errors()[4])
    assert (job.children.states, job.facts.outcome) == ("5555665", "error")
    assert job.facts.children.counts == {State.SUCCEEDED: 5, State.FAILED: 2}
    again = nbbatch.attach(job.id)
    assert again.wait(stub.PATIENCE)
    assert list(again.errors()) == [4, 5]
    runner = small_sheets.backend.runner
    whole = runner.describe([job.batch_job_id])[job.batch_job_id]
    assert whole.state is State.FAILED
    assert sum(whole.children.values()) == 7
    assert set(runner.failed(job.batch_job_id)) == {4, 5}
    assert runner.describe([f"{job.batch_job_id}:6"])
    later = batch(depends_on=[places().map(range(4)).id])(lambda: 1).submit()
    assert later.result(stub.PATIENCE) == 1


def test_a_sheet_that_can_not_be_submitted(small_sheets):
    """Nothing of the others is left to run, and nothing is noted."""

    def refused(operation, body):
        wanted = operation == "submitjob" and "sheet2" in body["jobName"]
        return batch_server.Fault(403) if wanted else None

    small_sheets.batch.place.capacity.clear()
    small_sheets.batch.fault = refused
    with pytest.raises(errors.BackendError):
        places().map(range(7))
    assert nbbatch.jobs() == []
    assert small_sheets.batch.count()["terminatejob"] == 1
    assert not list(small_sheets.backend.store.list("jobs/"))


def test_cancel_ends_all_sheets(small_sheets):
    """With one call for each."""

    def work(x):
        time.sleep(300 * bool(x))
        return x

    job = batch(work).map(range(7))
    assert job[0] == 0
    assert job.cancel()
    with pytest.raises(errors.JobCancelledError):
        job.result(stub.PATIENCE)
    assert small_sheets.batch.count()["terminatejob"] == 3


def test_how_long_an_array_has_run(account):
    """Known of all children once prices ask for it, and kept with the job's end."""
    nbbatch.configure(prices={"vcpu": 3600.0})
    job = batch(lambda x: x).map(range(3))
    assert job.wait(stub.PATIENCE)
    children = job.facts.children
    assert children.ran is not None
    assert children.live == 0
    assert nbbatch.jobs()[0].children == children
