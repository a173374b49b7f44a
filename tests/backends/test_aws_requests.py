"""The aws backend's requests and refusals: plain data in, plain data out."""

from __future__ import annotations

import dataclasses
import sys

import pytest
from aws_rig import EXECUTION_ROLE, ROLE

from nbbatch.backends.aws import checks, requests
from nbbatch.backends.aws.queues import Queue
from nbbatch.backends.base import Launch
from nbbatch.errors import ConfigurationError, LimitError, OptionError
from nbbatch.options import Options
from nbbatch.worker.boot.bootstrap import bootstrap_command

EC2 = Queue("queue", "EC2")
FARGATE = Queue("queue", "FARGATE_SPOT")
JOB = "20260131-094500-1f0c2a9b"


def options(**changes):
    return Options(**{"iam_role": ROLE, "image": "python:3.12", **changes})


def launch(**changes):
    whole = {
        "job_id": JOB,
        "name": "train",
        "options": options(),
        "environment": {"B": "2", "A": "1"},
        "worker": "0" * 64,
    }
    return Launch(**{**whole, **changes})


def test_definition_on_ec2():
    """What does not vary per job is in the definition; what Batch only wants to see is fixed."""
    request = requests.job_definition(options(cpu=4, gpu=1, shared_memory=64), EC2)
    name = request.pop("jobDefinitionName")

    assert request == {
        "type": "container",
        "platformCapabilities": ["EC2"],
        "containerProperties": {
            "image": "python:3.12",
            "command": bootstrap_command("python"),
            "jobRoleArn": ROLE,
            "resourceRequirements": [
                {"type": "VCPU", "value": "1"},
                {"type": "MEMORY", "value": "2048"},
            ],
            "linuxParameters": {"sharedMemorySize": 64},
        },
    }
    assert name.startswith("nbbatch-")
    assert len(name) == len("nbbatch-") + 32


def test_definition_on_fargate():
    """Fargate needs an execution role and, as Metaflow does it, a public address."""
    request = requests.job_definition(options(execution_role=EXECUTION_ROLE), FARGATE)

    assert request["platformCapabilities"] == ["FARGATE"]
    assert request["containerProperties"]["executionRoleArn"] == EXECUTION_ROLE
    assert request["containerProperties"]["networkConfiguration"] == {"assignPublicIp": "ENABLED"}
    assert "linuxParameters" not in request["containerProperties"]


def test_default_image():
    """Without an image the kernel's own Python runs the job."""
    request = requests.job_definition(options(image=None), EC2)
    version = "{}.{}".format(*sys.version_info)

    assert request["containerProperties"]["image"] == f"python:{version}"


PER_JOB = {"cpu": 8.0, "memory": 9000, "gpu": 2, "timeout": 99, "retries": 3, "name": "other"}
PER_DEFINITION = {
    "image": "python:3.13",
    "iam_role": ROLE + "2",
    "executable": "python3",
    "shared_memory": 128,
}


@pytest.mark.parametrize("change", [{k: v} for k, v in PER_JOB.items()], ids=PER_JOB)
def test_same_definition_for_what_varies_per_job(change):
    """Jobs that differ in resources, timeout, retries or name share a definition."""
    before = requests.job_definition(options(), EC2)

    assert requests.job_definition(options(**change), EC2) == before


@pytest.mark.parametrize("change", [{k: v} for k, v in PER_DEFINITION.items()], ids=PER_DEFINITION)
def test_other_definition_for_other_content(change):
    """A change of the content is a change of the name."""
    before = requests.job_definition(options(), EC2)["jobDefinitionName"]

    assert requests.job_definition(options(**change), EC2)["jobDefinitionName"] != before


def test_every_option_is_tried():
    """No option is missing from the two lists above."""
    fargate_and_queue = {"execution_role", "queue"}
    named = {field.name for field in dataclasses.fields(Options)}

    assert named == set(PER_JOB) | set(PER_DEFINITION) | fargate_and_queue


def test_submit():
    """The request says what varies, and no GPU where none is asked for."""
    request = requests.submit_job(
        launch(options=options(cpu=2, memory=16000, retries=2, timeout=600)), EC2, "nbbatch-x"
    )

    assert request == {
        "jobName": f"train-{JOB}",
        "jobQueue": "queue",
        "jobDefinition": "nbbatch-x",
        "containerOverrides": {
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "resourceRequirements": [
                {"type": "VCPU", "value": "2"},
                {"type": "MEMORY", "value": "16000"},
            ],
        },
        "retryStrategy": {
            "attempts": 3,
            "evaluateOnExit": [{"onExitCode": "95", "action": "EXIT"}],
        },
        "timeout": {"attemptDurationSeconds": 600},
    }


def test_submit_fractions_and_gpus():
    """A fraction of a vCPU is written as one, a whole number without a point."""
    request = requests.submit_job(launch(options=options(cpu=0.25, gpu=2)), EC2, "nbbatch-x")
    wanted = request["containerOverrides"]["resourceRequirements"]

    assert {"type": "VCPU", "value": "0.25"} in wanted
    assert {"type": "GPU", "value": "2"} in wanted
    assert "timeout" not in request


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train", f"train-{JOB}"),
        ("größe 1/2", f"gr--e-1-2-{JOB}"),
        ("-_", f"job-{JOB}"),
        ("x" * 128, "x" * (127 - len(JOB)) + "-" + JOB),
    ],
)
def test_job_name(name, expected):
    """A job's name is Batch's kind of name, unique, and no longer than allowed."""
    assert requests.job_name(name, JOB) == expected
    assert len(expected) <= 128


def test_environment_too_long():
    """More than 8,192 bytes of overrides are refused here, not by ECS minutes later."""
    with pytest.raises(LimitError, match="8192 are allowed"):
        requests.submit_job(launch(environment={"A": "x" * 8192}), EC2, "nbbatch-x")


def test_definition_too_long():
    """More than 24 KiB of definition are refused here."""
    with pytest.raises(LimitError, match="24576 are allowed"):
        requests.job_definition(options(executable="x" * (24 << 10)), EC2)


def refusal(kind, changes, queue=EC2):
    asked = options(**changes)
    with pytest.raises(kind) as caught:
        checks.check_request(asked)
        checks.check_platform(asked, queue)
    assert caught.value.what
    assert caught.value.cause
    return caught.value


def test_no_role():
    """Without a role the error says where one can be set."""
    error = refusal(ConfigurationError, {"iam_role": None})

    assert "no IAM role specified" in error.what
    for place in ("--iam-role", "NBBATCH_IAM_ROLE", "METAFLOW_ECS_S3_ACCESS_IAM_ROLE"):
        assert place in error.hint


@pytest.mark.parametrize(
    ("changes", "queue", "hint"),
    [
        ({"iam_role": "my-role"}, EC2, "--iam-role arn:aws:iam::"),
        ({"timeout": 59}, EC2, "--timeout 60"),
        ({"memory": 3}, EC2, "--memory 4"),
        ({"cpu": 1.5}, EC2, "--cpu 2"),
        ({"gpu": 1, "execution_role": EXECUTION_ROLE}, FARGATE, "leave out --gpu"),
        ({"shared_memory": 1, "execution_role": EXECUTION_ROLE}, FARGATE, "leave out --shared-mem"),
        ({"execution_role": "role"}, FARGATE, "--execution-role arn:aws:iam::"),
        ({"cpu": 1, "memory": 16000, "execution_role": EXECUTION_ROLE}, FARGATE, "--memory 16384"),
        ({}, Queue("q", "EKS"), "EC2 or Fargate"),
    ],
)
def test_refused_options(changes, queue, hint):
    """What Batch would refuse, or ignore, is refused before anything is written."""
    assert hint in refusal(OptionError, changes, queue).hint


def test_no_execution_role_on_fargate():
    """Fargate without an execution role is refused; EC2 does not ask for one."""
    error = refusal(ConfigurationError, {}, FARGATE)
    checks.check_platform(options(), EC2)

    assert "--execution-role" in error.hint


@pytest.mark.parametrize(
    "role", ["arn:aws:iam::123456789012:role/a/b", "arn:aws-cn:iam::123456789012:role/a"]
)
def test_accepted_roles(role):
    """A role may have a path and be in another partition."""
    checks.check_request(options(iam_role=role))


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ((0.25, 100), (0.25, 512)),
        ((0.3, 600), (0.5, 1024)),
        ((1, 4097), (1, 5120)),
        ((4, 4096), (4, 8192)),
        ((8, 17000), (8, 20480)),
        ((1, 100_000), (16, 106496)),
        ((64, 1), (32, 249856)),
        ((32, 122881), (32, 249856)),
    ],
)
def test_nearest_fargate_pair(asked, nearest):
    """The pair named is the smallest that holds what was asked for."""
    assert checks.nearest_fargate(*asked) == nearest


@pytest.mark.parametrize("cpu", checks.FARGATE)
def test_fargate_pairs_are_taken(cpu):
    """Each pair that Batch documents passes."""
    for memory in checks.FARGATE[cpu]:
        asked = options(cpu=cpu, memory=memory, execution_role=EXECUTION_ROLE)
        checks.check_platform(asked, FARGATE)
