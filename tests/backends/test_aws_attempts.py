"""Further attempts on Batch: by its own rules, in time, and with more memory in another job."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from aws_rig import EXECUTION_ROLE, ROLE, submitted
from stub import PATIENCE, until

import nbbatch
from nbbatch import batch, current, errors
from nbbatch.backends.aws import memory
from nbbatch.backends.aws.queues import Queue
from nbbatch.options import merge
from nbbatch.wire import keys
from tests.servers import Answer, serve

pytestmark = pytest.mark.thorough


def told(request):
    return {e["name"]: e["value"] for e in request["containerOverrides"]["environment"]}


def asked(request):
    return {r["type"]: r["value"] for r in request["containerOverrides"]["resourceRequirements"]}


def test_more_memory_in_another_job(account):
    """Batch has killed a job for its memory: another one, with twice as much, goes on from it."""

    def need() -> tuple[int, int, str]:
        monitor = os.getppid()
        current.checkpoint.save("so far")
        while current.attempt == 1:
            if os.getppid() != monitor:
                # A container would end as a whole.
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.02)
        return current.attempt, current.resources["memory"], current.checkpoint.load()

    job = batch(memory=2048, retries=2, retry_on="memory")(need).submit()
    first = job.batch_job_id
    until(job.checkpoints, bool)
    account.batch.jobs[first].kill("OutOfMemoryError: Container killed due to memory usage")
    assert job.result(PATIENCE) == (2, 4096, "so far")

    before, after = submitted(account)
    assert job.batch_job_id != first
    assert before["jobName"] != after["jobName"]
    assert (asked(before)["MEMORY"], asked(after)["MEMORY"]) == ("2048", "4096")
    assert [request["retryStrategy"]["attempts"] for request in (before, after)] == [3, 2]
    assert keys.ENV_BEFORE not in told(before)
    assert told(after)[keys.ENV_BEFORE] == "1"
    assert (job.facts.attempt, job.facts.attempts) == (2, 3)
    assert nbbatch.attach(job.id).result(PATIENCE) == (2, 4096, "so far")


def test_a_timeout_shorter_than_batchs_least(account):
    """The worker ends the code in time; what Batch would do comes much later."""
    job = batch(timeout=1)(lambda: time.sleep(600)).submit()
    error = job.exception(PATIENCE)

    assert isinstance(error, errors.JobTimeoutError)
    assert submitted(account)[0]["timeout"] == {"attemptDurationSeconds": 61}
    assert until(lambda: account.batch.jobs[job.batch_job_id].status, lambda s: s == "FAILED")
    assert account.batch.jobs[job.batch_job_id].describe()["container"]["exitCode"] == 124


def test_an_attempt_that_is_not_needed(account):
    """Where a definition's own rules make an attempt after the last, it does nothing."""

    def fail() -> None:
        raise ValueError(current.attempt)

    job = batch(retries=2, retry_on="spot", extra={"retryStrategy": {"evaluateOnExit": []}})(
        fail
    ).submit()
    assert job.exception(PATIENCE).args == (1,)
    described = until(
        lambda: account.batch.jobs[job.batch_job_id].describe(), lambda d: d["status"] == "FAILED"
    )

    assert [a["container"]["exitCode"] for a in described["attempts"]][:2] == [1, 95]


def test_a_job_waits_for_another(account):
    """Batch is told its own ids, and a job that waits is PENDING."""
    account.batch.place.capacity.clear()
    first = batch(lambda: 1).submit()
    after = batch(depends_on=first)(lambda: 2).submit()
    until(lambda: after.state, lambda state: state == "PENDING")
    account.batch.place.capacity.set()

    assert after.result(PATIENCE) == 2
    assert submitted(account)[1]["dependsOn"] == [{"jobId": first.batch_job_id}]
    by_batchs_id = batch(depends_on=first.batch_job_id)(lambda: 3).submit()
    assert by_batchs_id.result(PATIENCE) == 3


def test_a_spot_instance_that_is_taken_away(account):
    """The card says when the instance goes, the code can know it, and the error names it."""
    end = "2026-01-31T09:45:00Z"

    def metadata(asked):
        found = {"PUT": b"token"}.get(asked.method, b"spot")
        if asked.path.endswith("instance-action"):
            found = json.dumps({"action": "terminate", "time": end}).encode()
        return Answer(body=found)

    def wait() -> None:
        while current.reclaimed_at is None:
            time.sleep(0.05)
        print(current.reclaimed_at)
        time.sleep(600)

    with serve(metadata) as server:
        del account.batch.place.environment["AWS_EC2_METADATA_DISABLED"]
        account.batch.place.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server.url
        account.batch.place.capacity.clear()
        job = batch(wait).submit()
        assert not server.asked
        account.batch.place.capacity.set()
        job.wait(0)
        said = until(lambda: job.facts.message, lambda message: "reclaimed" in message)
        until(job.logs, bool)
    account.batch.jobs[job.batch_job_id]._process.send_signal(signal.SIGTERM)
    error = job.exception(PATIENCE)

    assert isinstance(error, errors.SpotReclaimedError)
    assert "--retries" in error.hint
    assert said == f"the spot instance is to be reclaimed at {end}"
    assert job.logs() == "2026-01-31 09:45:00+00:00\n"


def test_where_a_job_runs_and_since_when(account):
    """The machine tells the zone, the instance and when it began to fetch the image."""
    began = time.time() - 1
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began)) + f"{began % 1:.6f}"[1:] + "Z"
    task = {"AvailabilityZone": "eu-west-1b", "LaunchType": "EC2", "PullStartedAt": stamp}

    def metadata(asked):
        if asked.path == "/v4/abc/task":
            return Answer(body=json.dumps(task).encode())
        kind = asked.path.endswith("instance-type")
        return Answer(body=b"g5.xlarge" if kind else b"token" if asked.method == "PUT" else b"")

    with serve(metadata) as server:
        environment = account.batch.place.environment
        del environment["AWS_EC2_METADATA_DISABLED"]
        environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server.url
        environment["ECS_CONTAINER_METADATA_URI_V4"] = f"{server.url}/v4/abc"
        nbbatch.configure(prices={"g5.xlarge": 1.006})
        job = batch(time.sleep).submit(1.5)
        job.wait(PATIENCE)
    found = job.facts

    assert {"zone": "eu-west-1b", "instance": "g5.xlarge"}.items() <= found.given.items()
    assert found.given["platform"] == "EC2"
    assert found.prices == {"g5.xlarge": 1.006, "currency": "USD"}
    stays = {str(stay.state): stay for stay in found.stays}
    assert list(stays) == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING"]
    assert stays["RUNNING"].until - stays["RUNNING"].since > 1.4
    assert len(found.samples) > 1
    again = nbbatch.attach(job.id)
    again.wait(PATIENCE)
    assert (again.facts.stays, again.facts.samples) == (found.stays, found.samples)
    assert again.facts.given == found.given


@pytest.mark.parametrize(
    ("platform", "had", "has"),
    [
        ("EC2", (2, 4096), (2, 8192)),
        ("SPOT", (1, 300), (1, 600)),
        ("FARGATE", (1, 4096), (1, 8192)),
        ("FARGATE", (1, 8192), (2, 16384)),
        ("FARGATE", (32, 249856), None),
    ],
)
def test_twice_the_memory(platform, had, has):
    """Fargate has it only with certain vCPUs, and not without end."""
    options = merge(
        {"cpu": had[0], "memory": had[1], "iam_role": ROLE, "execution_role": EXECUTION_ROLE}
    )
    found = memory.larger(options, Queue("queue", platform))

    assert (found and (found.cpu, found.memory)) == has
