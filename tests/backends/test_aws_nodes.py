"""What Batch says about multi-node jobs: of the whole, and of each node once it matters."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import stub

from nbbatch import batch, current, errors
from nbbatch.backends.aws.status import main_node, nodes_of, status
from nbbatch.facts import Loss, State

pytestmark = pytest.mark.thorough

JOB = "0b69eb24-6cf4-4fd5-8de6-4ec8ea2bd7e8"
CONTAINER = {
    "image": "python:3.12",
    "resourceRequirements": [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "16000"}],
}


def described(**changes):
    """Give a job of three nodes as DescribeJobs does."""
    nodes = {"numNodes": 3, "mainNode": 0}
    ranges = [{"targetNodes": "0:2", "container": CONTAINER}]
    whole = {
        "jobId": JOB,
        "jobQueue": "arn:aws:batch:eu-west-1:123456789012:job-queue/gpus",
        "status": "RUNNING",
        "attempts": [],
        "nodeProperties": {**nodes, "nodeRangeProperties": ranges},
        "platformCapabilities": ["EC2"],
    }
    return {**whole, **changes}


def node(index, state="SUCCEEDED", code=0, reason=""):
    """Give a node as DescribeJobs does."""
    container = {**CONTAINER, "exitCode": code, "logStreamName": f"x/default/{index}"}
    container.update({"reason": reason} if reason else {})
    return {
        "jobId": f"{JOB}#{index}",
        "status": state,
        "statusReason": "Essential container in task exited",
        "attempts": [{"container": container, "stoppedAt": 1}],
        "container": container,
        "nodeDetails": {"nodeIndex": index, "isMainNode": index == 0},
        "nodeProperties": described()["nodeProperties"],
    }


def test_what_each_node_has_been_given():
    """A multi-node job has no container: its first range of nodes says what each one gets."""
    found = status(described(), "")

    assert found.given == {
        "cpu": 4.0,
        "memory": 16000,
        "gpu": 0,
        "image": "python:3.12",
        "queue": "gpus",
        "platform": "EC2",
    }
    assert found.nodes == ()


def test_the_names_of_the_nodes():
    """A job knows its nodes' ids, a node is none of its own nodes."""
    assert nodes_of(described()) == [f"{JOB}#{n}" for n in range(3)]
    assert nodes_of(node(1)) == []
    assert main_node(described()) == f"{JOB}#0"
    assert main_node(node(1)) == f"{JOB}#1"
    assert main_node({"jobId": JOB}) == JOB


@pytest.mark.parametrize(
    ("reason", "loss"),
    [("OutOfMemoryError: Container killed due to memory usage", Loss.MEMORY), ("", Loss.EXIT)],
)
def test_which_node_failed_and_why(reason, loss):
    """Each node has its own state and diagnosis; one that Batch has forgotten has the job's."""
    whole = described(status="FAILED", statusReason="Essential container in task exited")
    found = status(whole, "", [node(0), node(1, "FAILED", 137, reason), None])

    assert [each.state for each in found.nodes] == [State.SUCCEEDED, State.FAILED, State.FAILED]
    assert (found.nodes[1].loss, found.nodes[1].exit_code) == (loss, 137)
    assert found.nodes[1].log == "x/default/1"
    assert (found.nodes[2].loss, found.nodes[2].exit_code) == (None, None)


def test_a_job_of_three_nodes(account):
    """Submitted with one call; what each node returned and printed comes back, in order."""

    def work(x):
        print("on", current.node_index, "of", current.num_nodes, current.main_ip)
        return x * current.node_index, os.environ["RANK"], os.environ["MASTER_PORT"]

    job = batch(nodes=3)(work).submit(10)

    assert job.result(stub.PATIENCE) == [(10 * n, str(n), "29500") for n in range(3)]
    lines = job.logs().splitlines()
    assert [line.rpartition(" ")[0] for line in lines] == [
        f"[node {n}] on {n} of 3" for n in range(3)
    ]
    assert account.batch.count()["submitjob"] == 1
    assert not any("#" in id_ for call in account.batch.calls for id_ in call[1].get("jobs", ()))


def test_a_node_that_raises(account):
    """Batch does nothing about it: the main node ends, though its own code would wait."""

    def work():
        if current.node_index == 1:
            raise ValueError("boom")
        time.sleep(300)

    job = batch(nodes=2)(work).submit()

    assert str(job.exception(stub.PATIENCE)) == "boom"
    assert job.facts.message == "node 1 of 2: ValueError: boom"


def test_a_node_that_the_kernel_killed(account):
    """It says nothing any more: Batch is asked about the nodes, and knows why."""

    def work():
        print("up", flush=True)
        if current.node_index:
            time.sleep(300)
        # As a collective does when the connection breaks.
        deadline = time.monotonic() + patience
        while not os.path.exists(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
        raise ConnectionError("reset by peer")

    mark, patience = str(account.cache_dir) + ".killed", stub.PATIENCE
    job = batch(nodes=2)(work).submit()
    stub.until(lambda: job.logs().count("up"), lambda count: count == 2)
    whole = account.batch.jobs[job.batch_job_id]
    whole.others[0].kill("OutOfMemoryError: Container killed due to memory usage")
    # Batch must have seen it before the main node ends, for then it ends the others itself.
    stub.until(lambda: whole.others[0].status, lambda status: status == "FAILED")
    Path(mark).touch()
    error = job.exception(stub.PATIENCE)

    assert isinstance(error, errors.OutOfMemoryError)
    assert error.what.startswith("node 1 of 2 of job ")
    assert job.facts.message.endswith("; node 0 failed too")
    assert "".join(account.backend.runner.log(f"{job.batch_job_id}#1")) == "up"
