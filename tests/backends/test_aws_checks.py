"""What the aws backend refuses before anything is written."""

from __future__ import annotations

import pytest
from aws_rig import EXECUTION_ROLE, ROLE

from nbbatch.backends.aws import checks
from nbbatch.backends.aws.checks.meaningless import ON_EC2, ON_EKS, ON_FARGATE
from nbbatch.backends.aws.queues import Queue
from nbbatch.backends.aws.requests import Shape
from nbbatch.errors import ConfigurationError, OptionError
from nbbatch.options import IN_DEFINITION, merge, option_named

EC2 = Queue("queue", "EC2")
FARGATE = Queue("queue", "FARGATE_SPOT")
EKS = Queue("queue", "EKS")
POSSIBLE = {"iam_role": ROLE, "execution_role": EXECUTION_ROLE, "cpu": 1, "memory": 4096}


def refusal(kind, changes, queue=EC2):
    asked = merge({**POSSIBLE, **changes})
    with pytest.raises(kind) as caught:
        checks.check_request(asked)
        checks.check_platform(asked, queue)
    assert caught.value.what
    assert caught.value.cause
    return caught.value


@pytest.mark.parametrize("queue", [EC2, FARGATE])
def test_no_role(queue):
    """Without a role the error says where one can be set; a pod has a service account."""
    given = {k: v for k, v in POSSIBLE.items() if k != "iam_role"}
    with pytest.raises(ConfigurationError, match="no IAM role specified") as caught:
        checks.check_platform(merge(given), queue)
    checks.check_platform(merge(given), EKS)

    for place in ("--iam-role", "NBBATCH_IAM_ROLE", "METAFLOW_ECS_S3_ACCESS_IAM_ROLE"):
        assert place in caught.value.hint


REFUSED = [
    ({"iam_role": "my-role"}, EC2, "--iam-role arn:aws:iam::"),
    ({"memory": 3}, EC2, "--memory 4"),
    ({"cpu": 1.5}, EC2, "--cpu 2"),
    ({"swappiness": 60}, EC2, "--max-swap"),
    ({"host_volumes": ["/a:/x", "/b:/x/"]}, EC2, "--host-volumes"),
    ({"host_volumes": "/a:/x", "tmpfs_size": 9, "tmpfs_path": "/x"}, EC2, "--host-volumes"),
    (
        {
            "tags": {f"a{n}": "" for n in range(30)},
            "aws_batch_tags": {f"b{n}": "" for n in range(21)},
        },
        EC2,
        "leave some out",
    ),
    ({"platform_capabilities": "FARGATE"}, EC2, "leave --platform-capabilities out"),
    ({"platform_capabilities": "EC2"}, FARGATE, "leave --platform-capabilities out"),
    ({"platform_capabilities": "FARGATE"}, EKS, "leave --platform-capabilities out"),
    ({"execution_role": "role"}, FARGATE, "--execution-role arn:aws:iam::"),
    ({"execution_role": "role", "secrets": "A=b"}, EC2, "--execution-role arn:aws:iam::"),
    ({"cpu": 1, "memory": 16000}, FARGATE, "--cpu 2 --memory 16384"),
    ({"log_driver": "syslog"}, FARGATE, "--log-driver awslogs"),
    ({"user": "me"}, EKS, "--user 1000"),
    ({"cpu": 0.3}, EKS, "--cpu 0.5"),
    ({"nodes": 2}, Queue("q", "SPOT", ("SPOT",)), "on-demand"),
    ({"share_identifier": "a"}, Queue("q", "EC2", fair_share=False), "fair shares"),
    ({"scheduling_priority": 0}, Queue("q", "EC2", fair_share=False), "fair shares"),
    ({}, Queue("q", "EC2", fair_share=True), "--share-identifier"),
    ({"cpu": 17}, Queue("q", "EC2", vcpus=16), "--cpu 16"),
    ({"cpu": 8, "nodes": 3}, Queue("q", "EC2", vcpus=16), "--cpu 5"),
    ({"platform": "ARM64"}, Queue("q", "EC2", processors=("X86_64",)), "ARM64 instances"),
    ({"platform": "X86_64"}, Queue("q", "EKS", processors=("ARM64",)), "X86_64 instances"),
    ({}, Queue("q", "ECS_MANAGED_INSTANCES"), "--queue"),
    ({}, Queue("q", "SAGEMAKER_TRAINING"), "--queue"),
]


@pytest.mark.parametrize(("changes", "queue", "hint"), REFUSED)
def test_refused_options(changes, queue, hint):
    """What Batch would refuse, or ignore, is refused before anything is written."""
    assert hint in refusal(OptionError, changes, queue).hint


ALLOWED = [
    ({"cpu": 16}, Queue("q", "EC2", vcpus=16)),
    ({"nodes": 2}, Queue("q", "SPOT", ("SPOT", "EC2"))),
    ({"platform": "ARM64"}, Queue("q", "EC2", processors=("X86_64", "ARM64"))),
    ({"platform": "ARM64"}, EC2),
    ({"platform": "ARM64"}, FARGATE),
    ({"platform_capabilities": "EC2"}, EKS),
    ({"share_identifier": "a", "scheduling_priority": 1}, Queue("q", "EC2", fair_share=True)),
    ({"assign_public_ip": False}, EC2),
    ({"assign_public_ip": False, "propagate_tags": False}, EKS),
    ({"max_swap": 0, "swappiness": 100}, EC2),
    ({"gpu": 0, "inferentia": 0, "efa": 0, "privileged": False, "use_tmpfs": False}, FARGATE),
    ({"log_driver": "splunk", "init_process": True, "user": "me", "readonly_root": True}, FARGATE),
    ({"cpu": 0.75, "user": "1000:100", "use_tmpfs": True, "shared_memory": 64}, EKS),
    ({"iam_role": "arn:aws-cn:iam::123456789012:role/a/b"}, EC2),
]


@pytest.mark.parametrize(("changes", "queue"), ALLOWED)
def test_allowed_options(changes, queue):
    """Values at the edge, and those that ask for nothing, pass."""
    asked = merge({**POSSIBLE, **changes})
    checks.check_request(asked)
    checks.check_platform(asked, queue)


MEANINGLESS = [
    (name, queue)
    for queue, names in ((EC2, ON_EC2), (FARGATE, ON_FARGATE), (EKS, ON_EKS))
    for name in names
]
#: Where the example of the table asks for nothing, or needs another one.
OTHER_EXAMPLES = {
    "swappiness": {"swappiness": 0, "max_swap": 0},
    "assign_public_ip": {"assign_public_ip": True},
    "propagate_tags": {"propagate_tags": True},
}


@pytest.mark.parametrize(("name", "queue"), MEANINGLESS)
def test_options_that_mean_nothing_there(name, queue):
    """Each is refused by its name, with the platform and what to leave out."""
    example = OTHER_EXAMPLES.get(name, {name: option_named(name).metavar})
    error = refusal(OptionError, example, queue)

    assert error.what.split(" = ")[0] in example
    assert error.what.split(" = ")[0].replace("_", "-") in error.hint
    assert queue.name in error.cause


def test_no_execution_role():
    """Fargate and secrets need one; EC2 alone does not ask for it."""
    given = {**POSSIBLE, "execution_role": None}
    for changes, queue in (({}, FARGATE), ({"secrets": "DB=db"}, EC2)):
        error = refusal(ConfigurationError, {**given, **changes}, queue)
        assert "--execution-role" in error.hint
    checks.check_platform(merge(given), EC2)


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
        asked = merge({**POSSIBLE, "cpu": cpu, "memory": memory})
        checks.check_platform(asked, FARGATE)


@pytest.mark.parametrize("name", IN_DEFINITION)
def test_what_only_a_definition_can_say(name):
    """With somebody else's definition such an option is refused by its name."""
    example = OTHER_EXAMPLES.get(name, {name: option_named(name).metavar})
    asked = merge({"job_definition": "theirs", name: example[name]})
    with pytest.raises(OptionError) as caught:
        checks.check_existing(asked, Shape())

    assert name in caught.value.what
    assert "theirs" in caught.value.what


def test_what_can_be_said_of_any_definition():
    """Resources, variables and all that SubmitJob has; of a pod the image too."""
    fine = {"cpu": 2, "memory": 99, "environment": {"A": "1"}, "timeout": 60, "tags": {"a": "1"}}
    asked = merge({"job_definition": "theirs", "extra": {"timeout": {}}, **fine})
    checks.check_existing(asked, Shape())
    checks.check_platform(asked, EC2)
    checks.check_existing(merge({"job_definition": "theirs", "image": "x"}), Shape("pod", "main"))


@pytest.mark.parametrize(
    ("changes", "shape", "said"),
    [
        ({"extra": {"containerProperties": {}}}, Shape(), "containerProperties"),
        ({"nodes": 2}, Shape(), "nodes = 2"),
        ({"assign_public_ip": False}, Shape(), "assign_public_ip = False"),
        ({"nodes": 2}, Shape("multinode", "", ("0:0", "1:3")), "job_definition"),
    ],
)
def test_what_can_not_be_said_of_a_definition(changes, shape, said):
    """Fields of a definition, and nodes that it has no room for."""
    with pytest.raises(OptionError) as caught:
        checks.check_existing(merge({"job_definition": "theirs", **changes}), shape)

    assert said in caught.value.what


@pytest.mark.parametrize("name", ["security_groups", "subnets"])
def test_what_batch_has_in_compute_environments(name):
    """The error says where they are."""
    with pytest.raises(OptionError, match="compute environments, not in jobs"):
        merge({name: "sg-1"})
