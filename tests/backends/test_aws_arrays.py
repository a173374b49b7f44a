"""Array jobs on AWS Batch: one job, whose children are known by what they leave in the store."""

from __future__ import annotations

import os
import signal
import time

import pytest
import stub

from nbbatch import batch, errors
from nbbatch.facts import Loss, State


def test_an_array_of_six(account):
    """Submitted with one call; each child knows its place, and the values come in order."""

    def work(x, y):
        from nbbatch import current

        if x == 4:
            raise ValueError("boom")
        return x * y, current.array_index, current.array_size

    job = batch(work).map(range(6), y=10)
    found = list(job.results(120, return_exceptions=True))

    assert found[:4] == [(10 * n, n, 6) for n in range(4)]
    assert (str(found[4]), found[5]) == ("boom", (50, 5, 6))
    assert job.wait(60)
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
    assert job.wait(120)
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
        job.result(60)
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

    assert job.result(120) == [(0, 1), (1, 2), (2, 1)]
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
    assert job.wait(60)
