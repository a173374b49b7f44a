"""What a queue's compute environments tell."""

from __future__ import annotations

import pytest

from nbbatch.backends.aws.environments import facts


def environment(name, kind="EC2", state="ENABLED", **resources):
    return {
        "computeEnvironmentName": name,
        "computeEnvironmentArn": f"arn:{name}",
        "state": state,
        "computeResources": {"type": kind, **resources},
    }


def told(*found, **queue):
    """Give environments in the order of the queue, and out of order to whoever reads them."""
    order = [
        {"order": number, "computeEnvironment": item["computeEnvironmentArn"]}
        for number, item in enumerate(found)
    ]
    return facts({"computeEnvironmentOrder": order[::-1], **queue}, found[::-1])


def test_order():
    """The queue's order counts, whatever the order of the answer."""
    assert told(environment("a", "SPOT"), environment("b")).platforms == ("SPOT", "EC2")


def test_a_disabled_environment_does_not_count():
    """It starts nothing; where all are disabled the queue is still of their kind."""
    off = environment("a", "SPOT", "DISABLED", maxvCpus=999)

    assert told(off, environment("b", maxvCpus=4))[:2] == (("EC2",), 4)
    assert told(off).platforms == ("SPOT",)


def test_the_largest_counts():
    """A job fits where one environment has room; where one does not say, nobody knows."""
    small, large = environment("a", maxvCpus=16), environment("b", maxvCpus=64)

    assert told(small, large).vcpus == 64
    assert told(small, environment("b")).vcpus is None


def test_eks_and_unmanaged():
    """EKS is told by its orchestration; an unmanaged environment is ECS on EC2."""
    eks = {**environment("a"), "containerOrchestrationType": "EKS"}
    own = {**environment("b"), "computeResources": None, "unmanagedvCpus": 8}

    assert told(eks).platforms == ("EKS",)
    assert told(own)[:2] == (("EC2",), 8)


@pytest.mark.parametrize(
    ("types", "processors"),
    [
        (["optimal"], ("X86_64",)),
        (["c5", "m6i.large", "g5.xlarge", "p4d.24xlarge"], ("X86_64",)),
        (["default_arm64"], ("ARM64",)),
        (["m6g.large", "c7gn", "g5g", "x2gd.metal", "a1"], ("ARM64",)),
        (None, ()),
    ],
)
def test_processors(types, processors):
    """The names of instance types tell the processor."""
    assert told(environment("a", instanceTypes=types)).processors == processors


def test_both_processors():
    """A queue may have both kinds; where one environment does not tell, nothing is known."""
    arm = environment("a", instanceTypes=["m7g"])
    intel = environment("b", instanceTypes=["m7i"])

    assert told(arm, intel).processors == ("ARM64", "X86_64")
    assert told(arm, environment("c")).processors == ()


@pytest.mark.parametrize(
    ("kind", "platform"),
    [("ECS", "EC2"), ("ECS_FARGATE", "FARGATE"), ("SAGEMAKER_TRAINING", "SAGEMAKER_TRAINING")],
)
def test_a_queue_without_environments(kind, platform):
    """Its own type says what it is for."""
    assert told(jobQueueType=kind).platforms == (platform,)
