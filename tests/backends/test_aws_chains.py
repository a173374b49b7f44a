"""Jobs that need others on Batch: ``dependsOn``, and results that go from S3 to the container."""

from __future__ import annotations

import os
import signal
import time

import pytest
from aws_rig import submitted
from stub import PATIENCE, until

import nbbatch
from nbbatch import batch, current, errors
from nbbatch.session import current_session

pytestmark = pytest.mark.thorough


def test_a_chain(account):
    """Each waits for the one before, its own large result goes by S3, and none comes here."""
    account.batch.place.capacity.clear()
    first = batch(lambda: [bytearray(3 << 20), 1]).submit()
    second = batch(lambda pair: pair[1] + len(pair[0])).submit(first)
    third = batch(lambda x, xs: (x, sum(xs))).submit(second, [second, second])
    account.batch.place.capacity.set()
    assert third.result(PATIENCE) == ((3 << 20) + 1, 2 * ((3 << 20) + 1))

    after = [
        [item["jobId"] for item in request.get("dependsOn", ())] for request in submitted(account)
    ]
    assert after == [[], [first.batch_job_id], [second.batch_job_id]]
    fourth = batch(lambda pair: pair[1]).submit(first)
    assert fourth.result(PATIENCE) == 1
    assert "dependsOn" not in submitted(account)[3]
    secret = first._key.hex()
    assert not [request for request in submitted(account)[1:] if secret in str(request)]


def test_an_array_in_a_chain(account):
    """The whole array is waited for, by its one id."""
    account.batch.place.capacity.clear()
    mapped = batch(lambda x: x * x).map(range(4), chunksize=2)
    total = batch(sum).submit(mapped)
    account.batch.place.capacity.set()

    assert total.result(PATIENCE) == 14
    assert submitted(account)[1]["dependsOn"] == [{"jobId": mapped.batch_job_id}]


def test_a_chain_that_breaks(account):
    """Batch says no more than that a dependency has failed; the error says which and why."""

    def fail():
        raise ValueError("no such thing")

    account.batch.place.capacity.clear()
    first = batch(name="load")(fail).submit()
    second = batch(name="fit")(lambda x: x).submit(first)
    account.batch.place.capacity.set()
    error = second.exception(PATIENCE)

    assert isinstance(error, errors.UpstreamError)
    assert f"{first.id} (load)" in error.cause
    assert "ValueError: no such thing" in error.cause
    assert f"%batch logs {first.id}" in error.hint
    again = nbbatch.attach(second.id)
    assert "ValueError: no such thing" in str(again.exception(PATIENCE))


def test_what_starts_again_is_waited_for(account):
    """Batch has failed both jobs: each is another one now, and the second waits for the first."""

    def need():
        monitor = os.getppid()
        current.checkpoint.save("begun")
        while current.attempt == 1:
            if os.getppid() != monitor:
                # A container would end as a whole.
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.02)
        return current.resources["memory"]

    first = batch(memory=2048, retries=1, retry_on="memory")(need).submit()
    once = first.batch_job_id
    second = batch(lambda x: (x, current.attempt)).submit(first)
    mapped = batch(lambda x, y: x + y[0]).map(range(2), y=second)
    until(first.checkpoints, bool)
    # Nothing is to have ended before the others were submitted that wait for it.
    account.batch.place.capacity.clear()
    account.batch.jobs[once].kill("OutOfMemoryError: Container killed due to memory usage")
    until(lambda: len(submitted(account)), lambda count: count == 6)
    account.batch.place.capacity.set()

    assert second.result(PATIENCE) == (4096, 1)
    assert mapped.result(PATIENCE) == [4096, 4097]
    requests = submitted(account)
    after = [[item["jobId"] for item in request.get("dependsOn", ())] for request in requests]
    assert len({request["jobName"] for request in requests}) == len(requests) == 6
    names = [request["jobName"] for request in requests]
    again, anew = names.index(f"{names[0]}-2"), names.index(f"{names[1]}-anew1")
    assert after[again] == []
    assert after[anew] == [first.batch_job_id] != [once]
    assert after[names.index(f"{names[2]}-anew1")] == [second.batch_job_id]


def test_more_jobs_than_batch_waits_for(account):
    """20 at most; what there is instead is said, and nothing is left of it."""
    account.batch.place.capacity.clear()
    first = batch(lambda: 1)
    jobs = [first.submit() for _ in range(21)]
    with pytest.raises(errors.LimitError, match=r"(?s)21.*AWS Batch takes 20.*map"):
        batch(sum).submit(jobs)
    assert len(list(current_session().jobs())) == 21
    last = batch(sum).submit(jobs[:20])
    assert len(submitted(account)[-1]["dependsOn"]) == 20
    current_session().backend.runner.stop([job.batch_job_id for job in [last, *jobs]], "enough")

    assert last.wait(PATIENCE)
