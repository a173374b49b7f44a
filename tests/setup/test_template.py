"""The template: correct, careful with data, and giving no permission that is not used."""

from __future__ import annotations

import ast
import fnmatch
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from nbbatch.backends.aws.setup.template import LIMIT, defaults, made, resources, template
from nbbatch.wire import keys
from nbbatch.worker.stores.s3 import S3Store

PACKAGE = Path(__file__).parent.parent.parent / "nbbatch"


@pytest.fixture(scope="module")
def parsed() -> dict[str, Any]:
    """Read the template as YAML; ``!Sub x`` and the like are ``{"Fn::Sub": x}``."""
    from moto.cloudformation.models import Stack

    found: dict[str, Any] = Stack.parse_template(template())
    return found


def test_cfn_lint_finds_nothing() -> None:
    """No error, no warning; no rule is left out."""
    from cfnlint.api import lint

    found = lint(template(), regions=["eu-west-1", "us-east-1"])

    assert [f"{match.rule.id} {match.message}" for match in found] == []


def test_it_fits_into_a_request() -> None:
    """CloudFormation takes it in a request, without a bucket to put it in first."""
    assert len(template().encode()) <= LIMIT


def test_what_it_says_of_itself_is_true(parsed: dict[str, Any]) -> None:
    """Read line by line it has the resources and parameters that a parser finds."""
    found = {r.name: (r.kind, r.condition) for r in resources(template())}

    assert found == {
        name: (body["Type"], body.get("Condition", ""))
        for name, body in parsed["Resources"].items()
    }
    assert defaults(template()) == {
        name: str(body.get("Default", "")) for name, body in parsed["Parameters"].items()
    }


def test_each_resource_says_why_it_is_there() -> None:
    """The comment above a resource is a line for the screen."""
    for resource in resources(template()):
        assert 10 < len(resource.why) < 90, resource.name


@pytest.mark.parametrize(
    ("parameters", "absent"),
    [
        ({}, {"SecretsPolicy"}),
        ({"Gpu": "no"}, {"SecretsPolicy", "GpuEnvironment", "GpuQueue"}),
        (
            {"SecurityGroupIds": "sg-1", "SecretArns": "arn:x"},
            {"SecurityGroup", "NodesReachEachOther"},
        ),
    ],
)
def test_what_parameters_make(parameters: dict[str, str], absent: set[str]) -> None:
    """What depends on a condition is said to be made only where it is."""
    names = {resource.name for resource in made(template(), parameters)}

    assert {resource.name for resource in resources(template())} - names == absent


def test_the_bucket_is_closed_and_outlives_the_stack(parsed: dict[str, Any]) -> None:
    """Encrypted, private, TLS only; objects of jobs expire, the worker does not; never deleted."""
    bucket = parsed["Resources"]["Bucket"]
    properties = bucket["Properties"]
    rules = {rule["Id"]: rule for rule in properties["LifecycleConfiguration"]["Rules"]}
    deny = parsed["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]

    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["UpdateReplacePolicy"] == "Retain"
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["BucketEncryption"]
    assert (rules["jobs"]["Prefix"], rules["blobs"]["Prefix"]) == (
        "nbbatch/jobs/",
        "nbbatch/blobs/",
    )
    assert not any("worker" in rule.get("Prefix", "") for rule in rules.values())
    assert rules["unfinished-uploads"]["AbortIncompleteMultipartUpload"]
    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_nothing_is_kept_running(parsed: dict[str, Any]) -> None:
    """No environment has vCPUs of its own while no job runs; each may be changed in place."""
    found = [
        body["Properties"]
        for body in parsed["Resources"].values()
        if body["Type"] == "AWS::Batch::ComputeEnvironment"
    ]

    assert len(found) == 5
    for environment in found:
        resources_ = environment["ComputeResources"]
        assert resources_.get("MinvCpus", 0) == 0
        assert ("MinvCpus" in resources_) is ("FARGATE" not in resources_["Type"])
        assert environment["ReplaceComputeEnvironment"] is False


def statements(parsed: dict[str, Any], name: str) -> list[dict[str, Any]]:
    properties = parsed["Resources"][name]["Properties"]
    policies = [p["PolicyDocument"] for p in properties.get("Policies", ())]
    document = properties.get("PolicyDocument")
    return [s for d in [*policies, *([document] if document else [])] for s in d["Statement"]]


def actions(parsed: dict[str, Any], name: str) -> set[str]:
    found = [s["Action"] for s in statements(parsed, name)]
    return {a for item in found for a in ([item] if isinstance(item, str) else item)}


GRANTING = ("JobRole", "ExecutionRole", "SecretsPolicy", "UserPolicy")
#: Resources that AWS knows no names for; each is said in the template.
EVERYTHING = {
    "ecr:GetAuthorizationToken",
    "batch:DescribeComputeEnvironments",
    "batch:DescribeJobDefinitions",
    "batch:DescribeJobQueues",
    "batch:DescribeJobs",
    "batch:ListJobs",
    "ec2:DescribeInstanceTypes",
}


@pytest.mark.parametrize("name", GRANTING)
def test_no_permission_has_a_star(parsed: dict[str, Any], name: str) -> None:
    """Each action is named; all resources are meant only where AWS has no other way."""
    for statement in statements(parsed, name):
        named = statement["Action"]
        named = {named} if isinstance(named, str) else set(named)
        assert not any("*" in action for action in named)
        if statement["Resource"] == "*":
            assert named <= EVERYTHING


#: What IAM wants for a call, where that is not the call's own name.
#: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
IAM: dict[str, set[str]] = {
    "s3:HeadObject": {"s3:GetObject"},
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:HeadBucket": {"s3:ListBucket"},
    "s3:DeleteObjects": {"s3:DeleteObject"},
    "s3:CreateMultipartUpload": {"s3:PutObject"},
    "s3:UploadPart": {"s3:PutObject"},
    "s3:CompleteMultipartUpload": {"s3:PutObject"},
    "s3:GetBucketEncryption": {"s3:GetEncryptionConfiguration"},
    "s3:GetPublicAccessBlock": {"s3:GetBucketPublicAccessBlock"},
    # It hands the job its roles, and the tags.
    "batch:RegisterJobDefinition": {"batch:RegisterJobDefinition", "iam:PassRole"},
    "batch:SubmitJob": {"batch:SubmitJob", "batch:TagResource"},
    # Everybody may.
    "sts:GetCallerIdentity": set(),
    # The user's own secrets and images: who may have them is for others to say. Where they may
    # not be looked at, jobs can still have them.
    "secretsmanager:DescribeSecret": set(),
    "secretsmanager:GetSecretValue": set(),
    "ssm:GetParameter": set(),
    "ecr:BatchGetImage": set(),
    "ecr:GetDownloadUrlForLayer": set(),
}
#: Without these jobs run as well: they tell why one waits, and the doctor what is wrong.
EXAMINING = {
    "batch:GetJobQueueSnapshot",
    "ec2:DescribeInstanceTypes",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetEncryptionConfiguration",
}
SERVICES = ("ec2", "ecr", "iam", "secretsmanager", "ssm", "sts", "logs", "batch", "s3")


def calls() -> set[str]:
    """Return each call that the aws backend makes, read from its source, as ``s3:GetObject``."""
    session = botocore.session.get_session()
    known = {
        xform_name(operation): f"{service}:{operation}"
        for service in SERVICES
        for operation in session.get_service_model(service).operation_names
    }
    backend = PACKAGE / "backends" / "aws"
    found: set[str] = set()
    for path in set(backend.rglob("*.py")) - set((backend / "setup").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get_paginator":
                found |= {str(a.value) for a in node.args if isinstance(a, ast.Constant)}
    return {known[name] for name in found if name in known}


def test_the_users_policy_is_what_the_client_calls(parsed: dict[str, Any]) -> None:
    """Nothing is allowed that is not called, nothing called that is not allowed."""
    needed: set[str] = set()
    for call in calls():
        needed |= IAM.get(call, {call})

    assert {"batch:SubmitJob", "s3:PutObject", "logs:GetLogEvents"} <= needed
    assert actions(parsed, "UserPolicy") - EXAMINING == needed - EXAMINING
    assert actions(parsed, "UserPolicy") >= EXAMINING


#: What the worker's store asks of the bucket.
STORE = {
    "put": {"s3:PutObject", "s3:AbortMultipartUpload"},
    "get": {"s3:GetObject", "s3:ListBucket"},
    "size": {"s3:GetObject", "s3:ListBucket"},
    "reliable": {"s3:GetObject", "s3:ListBucket"},
    "read_into": {"s3:GetObject"},
    "list": {"s3:ListBucket"},
    "delete": {"s3:DeleteObject"},
    "close": set(),
    "from_url": set(),
}


def test_the_jobs_role_is_what_the_worker_calls(parsed: dict[str, Any]) -> None:
    """A job may do what its store can, and delete files of jobs alone."""
    methods = {name for name in vars(S3Store) if not name.startswith("_")}
    by_sid = {statement["Sid"]: statement for statement in statements(parsed, "JobRole")}

    assert methods == set(STORE)
    assert actions(parsed, "JobRole") == set().union(*STORE.values())
    assert "/jobs/*/files/*" in str(by_sid["DeleteOwnFiles"]["Resource"])
    assert "worker" not in str(by_sid["Write"]["Resource"])


def allows(statements: list[dict[str, Any]], action: str, key: str) -> bool:
    """Tell whether an object may be used so; `key` is below the bucket."""
    for statement in statements:
        named, places = (
            [value] if isinstance(value, (str, dict)) else value
            for value in (statement["Action"], statement["Resource"])
        )
        patterns = [str(place.get("Fn::Sub", "")) for place in places]
        if action in named and any(
            fnmatch.fnmatchcase(f"${{Bucket.Arn}}/{key}", p) for p in patterns
        ):
            return True
    return False


JOB = "20260131-094500-1f0c2a9b"
READS = (keys.worker("0"), keys.input_(JOB), keys.blob("0"), keys.outcome(JOB, 1))
WRITES = (keys.claim(JOB, 1), keys.frames(JOB, 1, 0), keys.outcome(JOB, 1), keys.blob("0"))


def test_a_job_reaches_its_objects_and_no_others(parsed: dict[str, Any]) -> None:
    """Every key that a worker uses is within its role; other places and other uses are not."""
    role, own = statements(parsed, "JobRole"), keys.file(JOB, "checkpoint")

    assert [k for k in (*READS, own) if not allows(role, "s3:GetObject", f"nbbatch/{k}")] == []
    assert [k for k in (*WRITES, own) if not allows(role, "s3:PutObject", f"nbbatch/{k}")] == []
    assert allows(role, "s3:DeleteObject", f"nbbatch/{own}")
    assert not allows(role, "s3:PutObject", f"nbbatch/{keys.worker('0')}")
    assert not allows(role, "s3:DeleteObject", f"nbbatch/{keys.outcome(JOB, 1)}")
    assert not allows(role, "s3:GetObject", "elsewhere/secret")


def test_only_this_accounts_tasks_become_the_job(parsed: dict[str, Any]) -> None:
    """No other account's task may assume the role."""
    trust = parsed["Resources"]["JobRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert [s["Principal"] for s in trust] == [{"Service": "ecs-tasks.amazonaws.com"}]
    assert "aws:SourceAccount" in trust[0]["Condition"]["StringEquals"]
