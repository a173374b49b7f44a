"""The doctor on AWS: each thing that can be broken, broken in turn, in moto's account."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import boto3
import pytest
from aws_rig import REGION, aws_rig, client_environment, environment, moto_address
from batch_server import Fault

from nbbatch.backends.aws import aws_backend
from nbbatch.backends.aws.doctor import identity, image, place, pythons, roles
from nbbatch.backends.aws.doctor.findings import untold
from nbbatch.cli import main
from nbbatch.errors import AccessDeniedError, UnreachableError
from nbbatch.facts import Verdict
from nbbatch.options import merge
from tests.servers import Answer, serve

OK, WARNING, WRONG, SKIPPED = Verdict.OK, Verdict.WARNING, Verdict.WRONG, Verdict.SKIPPED
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
INDEX = "application/vnd.oci.image.index.v1+json"
TASKS = "ecs-tasks.amazonaws.com"
BUCKET = "doctors-bucket"
NOW = datetime(2026, 1, 31, tzinfo=timezone.utc)


def trust(service):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def moto():
    """Furnish an account: a bucket, roles, queues on EC2 and Fargate, an image for ARM."""
    address = moto_address()
    client = {name: open_client(address, name) for name in ("s3", "iam", "batch", "ec2", "ecr")}
    client["s3"].create_bucket(Bucket=BUCKET)
    for name, service in (("job", TASKS), ("hosts", "ec2.amazonaws.com")):
        client["iam"].create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))
    furnish_batch(client)
    repository = client["ecr"].create_repository(repositoryName="team/train")["repository"]
    platforms = [{"digest": f"sha256:{'0' * 64}", "platform": {"architecture": "arm64"}}]
    manifest = {"schemaVersion": 2, "mediaType": INDEX, "manifests": platforms}
    client["ecr"].put_image(
        repositoryName=repository["repositoryName"],
        imageTag="arm",
        imageManifest=json.dumps(manifest),
    )
    yield address
    client["s3"].delete_bucket(Bucket=BUCKET)


def open_client(address, name, region=REGION):
    keyed = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(name, endpoint_url=address, region_name=region, **keyed)


def furnish_batch(client):
    profile = client["iam"].create_instance_profile(InstanceProfileName="hosts")["InstanceProfile"]
    client["iam"].add_role_to_instance_profile(InstanceProfileName="hosts", RoleName="hosts")
    subnet = client["ec2"].describe_subnets()["Subnets"][0]["SubnetId"]
    group = client["ec2"].describe_security_groups()["SecurityGroups"][0]["GroupId"]
    network = {"subnets": [subnet], "securityGroupIds": [group]}
    hosts = {
        "type": "EC2",
        "minvCpus": 0,
        "desiredvCpus": 2,
        "maxvCpus": 16,
        "instanceTypes": ["c5.large", "m5.xlarge"],
        "instanceRole": profile["Arn"],
        **network,
    }
    for name, resources in (
        ("hosts", hosts),
        ("fargate", {"type": "FARGATE", "maxvCpus": 8, **network}),
        ("off", {"type": "FARGATE", "maxvCpus": 8, **network}),
    ):
        client["batch"].create_compute_environment(
            computeEnvironmentName=name,
            type="MANAGED",
            state="ENABLED",
            computeResources=resources,
            serviceRole=role("job"),
        )
        client["batch"].create_job_queue(
            jobQueueName=name,
            state="DISABLED" if name == "off" else "ENABLED",
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name}],
        )
    client["batch"].update_compute_environment(computeEnvironment="off", state="DISABLED")


def role(name, account="123456789012"):
    return f"arn:aws:iam::{account}:role/{name}"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("doctor")


@contextlib.contextmanager
def signed_in(moto, home, **changes):
    """Lead this process to moto, but for what a test changes."""
    with environment(**{**client_environment(home, moto, moto), **changes}):
        yield


def backend(home, bucket=BUCKET, region=None):
    return aws_backend(
        s3_root=f"s3://{bucket}/some/root",
        region=region,
        profile=None,
        endpoint_url=None,
        cache_dir=home / "cache",
    )


def told(findings):
    """Sort findings by what was examined."""
    found = {}
    for finding in findings:
        found.setdefault(finding.name, []).append(finding)
    return found


@pytest.fixture(scope="module")
def made(moto, home):
    """Make one backend for all: clients are slow to make."""
    with signed_in(moto, home):
        return backend(home)


@pytest.fixture
def examined(moto, home, made):
    """Examine the account with some options."""
    with signed_in(moto, home):
        yield lambda **options: told(made.examine(merge(options)))


def only(findings, verdict, said, hint=""):
    """Check that there is one such finding, and what it says."""
    found = [one for one in findings if one.verdict is verdict]
    assert len(found) == 1, findings
    assert said in f"{found[0].found}; {found[0].cause}"
    assert hint in found[0].hint
    assert found[0].hint or verdict in (OK, SKIPPED)


def verdicts(found):
    return {name: [str(one.verdict) for one in findings] for name, findings in found.items()}


def test_all_is_well(examined, moto):
    """Each thing is looked at once, in the order in which one would mend it; nothing is left."""
    found = examined(queue="hosts", iam_role=role("job"))

    assert verdicts(found) == {
        "region": ["ok"],
        "credentials": ["ok"],
        "bucket": ["ok"],
        "objects": ["ok"],
        "public access": ["warning"],
        "encryption": ["warning"],
        "queue": ["ok"],
        "environment": ["ok"],
        "request": ["ok"],
        "iam role": ["ok", "skipped"],
        "image": ["skipped"],
        "python": ["ok"],
    }
    assert found["environment"][0].found == (
        "hosts: EC2, ENABLED and VALID, at most 16 vCPUs (2 now), c5.large m5.xlarge"
    )
    assert "Contents" not in open_client(moto, "s3").list_objects_v2(Bucket=BUCKET)


def test_a_safe_bucket(examined, moto):
    """Encryption and the block on public access are seen; a key of KMS needs more rights."""
    s3 = open_client(moto, "s3")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "my-key"}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=rules)
    every = "BlockPublicAcls IgnorePublicAcls BlockPublicPolicy RestrictPublicBuckets".split()
    blocked = dict.fromkeys(every, True)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=blocked)
    found = examined(queue="hosts", iam_role=role("job"))
    s3.delete_public_access_block(Bucket=BUCKET)
    s3.delete_bucket_encryption(Bucket=BUCKET)

    only(found["public access"], OK, "closed to the public")
    only(found["encryption"], OK, "my-key: the job's role needs kms:")


OFF = {
    "queue": ("off is DISABLED", "update-job-queue --job-queue off --state ENABLED"),
    "environment": ("environment off is DISABLED", "--compute-environment off --state ENABLED"),
    "iam role": ("trusts ec2.amazonaws.com, and not", TASKS),
    "image": ("not the name of an image", "--image"),
}
ON_HOSTS = {
    "environment": ("1 GPU, and no instance", "--queue one"),
    "request": ("no IAM role", "--iam-role"),
    "image": ("no image", "aws ecr list-images --repository-name team/train"),
}
BAD = (
    ({"queue": "off", "iam_role": role("hosts"), "image": "https://python"}, OFF),
    ({"queue": "hosts", "gpu": 1, "image": f"{ECR}/team/train:x86"}, ON_HOSTS),
    (
        {"queue": "host", "iam_role": role("jobs"), "image": f"{ECR}/team/other:arm"},
        {
            "queue": ("host not found", "--queue hosts"),
            "iam role": ("no role jobs", "aws iam list-roles"),
            "image": ("no image", "aws ecr list-images --repository-name team/other"),
        },
    ),
    (
        {"queue": "hosts", "cpu": 17, "image": f"{ECR}/team/train:arm"},
        {"environment": ("at most 16", "maxvCpus=17"), "image": ("for arm64, and", "linux/amd64")},
    ),
    (
        {"queue": "hosts", "memory": "16G", "image": "python:3.8"},
        {"environment": ("16384 MiB", "--memory"), "python": ("3.9 or newer", "--image python:")},
    ),
)


@pytest.mark.parametrize(("options", "wrong"), BAD, ids=range(len(BAD)))
def test_what_is_wrong(examined, options, wrong):
    """Each thing is found, whatever else is wrong; it says so, and below it what to type."""
    found = examined(**options)

    for name, (said, hint) in wrong.items():
        only(found[name], WRONG, said, hint)


def test_other_options(examined):
    """Fargate's execution role is looked at; a role of elsewhere and other images are judged."""
    found = examined(
        queue="fargate",
        iam_role=role("job", "210987654321"),
        execution_role=role("job"),
        image=f"{ECR}/team/train:arm",
        platform="ARM64",
    )

    only(found["queue"], OK, "fargate is ENABLED")
    only(found["execution role"], OK, "the role job exists and trusts")
    only(found["iam role"], WARNING, "a role of the account 210987654321", "AWS_PROFILE")
    only(found["image"], OK, "exists, for arm64")
    only(found["python"], SKIPPED, "which Python")


def test_no_queue_named(examined):
    """The queue that a job would take is the one that is looked at."""
    only(examined(iam_role=role("job"))["queue"], OK, "none was named")


def test_a_missing_bucket(moto, home):
    """It is named, and the rest is examined all the same."""
    with signed_in(moto, home):
        found = told(backend(home, "no-such-bucket").examine(merge({"queue": "hosts"})))

    only(found["bucket"], WRONG, "there is no bucket no-such-bucket", "aws s3 mb s3://no-such")
    assert "objects" not in found
    assert found["queue"][0].verdict is OK


def test_a_bucket_elsewhere(moto, home):
    """A bucket in another region is named with that region."""
    with signed_in(moto, home):
        found = told(backend(home, region="eu-west-1").examine(merge({})))

    only(found["bucket"], WRONG, "it lives in the region us-east-1", "AWS_DEFAULT_REGION=us-east-1")
    only(found["queue"], WRONG, "no job queue", "--queue")


@pytest.mark.parametrize(
    ("changes", "name", "said", "hint"),
    [
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "credentials",
            "nobody is signed in",
            "aws configure",
        ),
        ({"AWS_DEFAULT_REGION": None}, "region", "region is not known", "AWS_DEFAULT_REGION"),
        ({"AWS_PROFILE": "nobody"}, "region", "nobody", "AWS_PROFILE"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "credentials", "PartialCredentials", "aws configure"),
    ],
)
def test_nobody_signed_in(moto, home, changes, name, said, hint):
    """Without credentials or a region one thing is wrong, and no other is guessed at."""
    with signed_in(moto, home, **changes):
        found = told(backend(home).examine(merge({})))

    only(found[name], WRONG, said, hint)
    only(found["the rest"], SKIPPED, "not examined")
    assert "bucket" not in found


def test_credentials_that_are_not_accepted(moto, home):
    """AWS's own answer is shown, with how to sign in."""
    body = (
        b"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>"
        b"<Message>The security token is invalid</Message></Error></ErrorResponse>"
    )
    with serve(lambda _: Answer(403, body)) as sts:
        with signed_in(moto, home, AWS_ENDPOINT_URL_STS=sts.url):
            found = told(backend(home).examine(merge({})))

    only(found["credentials"], WRONG, "security token is invalid", "aws sso login")
    assert "the rest" in found


def simulated(decisions):
    """Answer as IAM does: no right to look at roles, and these decisions about their rights."""
    rows = "".join(
        f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}"
        f"</EvalResourceName><EvalDecision>{decision}</EvalDecision></member>"
        for (action, resource), decision in decisions.items()
    )
    allowed = (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<SimulatePrincipalPolicyResult><EvaluationResults>{rows}</EvaluationResults>"
        "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    )
    denied = (
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: "
        "iam:GetRole</Message></Error></ErrorResponse>"
    )

    def reply(asked):
        if b"SimulatePrincipalPolicy" in asked.body:
            return Answer(200, allowed.encode())
        return Answer(403, denied.encode())

    return reply


def test_rights_of_a_role(moto, home):
    """What IAM does not tell is skipped; what the role lacks is named, with a policy for it."""
    objects = f"arn:aws:s3:::{BUCKET}/some/root/*"
    jobs, blobs = (objects.replace("*", f"{place}/*") for place in ("jobs", "blobs"))
    decisions = {
        ("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"): "allowed",
        ("s3:ListBucket", objects): "implicitDeny",
        ("s3:GetObject", objects): "allowed",
        ("s3:PutObject", objects): "implicitDeny",
        ("s3:PutObject", jobs): "implicitDeny",
        ("s3:PutObject", blobs): "allowed",
        ("s3:AbortMultipartUpload", jobs): "allowed",
    }
    with serve(simulated(decisions)) as iam, signed_in(moto, home, AWS_ENDPOINT_URL_IAM=iam.url):
        made = backend(home)
        found = told(made.examine(merge({"queue": "hosts", "iam_role": role("job")})))
        s3 = open_client(moto, "s3")
        statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": objects}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Statement": [statement]}))
        opened = told(made.examine(merge({"queue": "hosts", "iam_role": role("job")})))
        s3.delete_bucket_policy(Bucket=BUCKET)

    only(found["iam role"], SKIPPED, "iam:GetRole", "jobs don't need that permission")
    only(found["iam role"], WRONG, f"may not s3:PutObject on {jobs}", "put-role-policy")
    assert "blobs" not in str(found["iam role"])
    only(opened["iam role"], WARNING, "the bucket's own policy may", "put-role-policy")


def test_a_store_that_ignores_conditions(moto, home):
    """A server on which attempts could overwrite each other is found out before it does harm."""

    def reply(asked):
        if asked.method == "GET":
            return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        return Answer(200, b"<DeleteResult/>" if asked.method == "POST" else b"")

    with serve(reply) as s3, signed_in(moto, home, AWS_ENDPOINT_URL_S3=s3.url):
        found = told(backend(home).examine(merge({"queue": "hosts"})))

    said = [finding.found for finding in found["objects"]]
    assert any("ignores conditions on writes" in text for text in said)
    assert any("is not there afterwards" in text for text in said)


def test_nothing_answers(home):
    """Without a network everything that needs it says so, and nothing raises."""
    nobody = "http://127.0.0.1:9"
    with signed_in(nobody, home):
        found = told(backend(home).examine(merge({"iam_role": role("job")})))

    only(found["credentials"], SKIPPED, "can't be told")
    for name in ("bucket", "queue", "request"):
        only(found[name], WRONG, "onnect", "network")


def test_in_a_terminal(moto, home, capsys, monkeypatch):
    """The command takes the options, prints each finding and fails where something is wrong."""
    monkeypatch.setenv("COLUMNS", "120")
    setting = {"NBBATCH_S3_ROOT": f"s3://{BUCKET}/root", "NBBATCH_HOME": str(home / "home")}
    with signed_in(moto, home, **setting):
        code = main(["doctor", "--queue", "off", "--iam-role", role("job"), "--cpu", "0.25"])
    said = capsys.readouterr().out

    assert code == 1
    assert f"objects in s3://{BUCKET}/root" in said
    assert "\nWRONG   queue          off is DISABLED and VALID\n" in said
    assert "next:  aws batch update-job-queue --job-queue off --state ENABLED" in said
    assert said.splitlines()[-1].startswith("2 things are wrong")


def test_environments_of_a_queue(tmp_path):
    """What Batch says of an invalid environment is shown; one that works is enough."""
    with aws_rig(tmp_path) as rig:
        rig.batch.facts["queue-environment"] = {"status": "INVALID", "statusReason": "no subnet"}
        found = told(rig.backend.examine(merge({"queue": "queue"})))
        rig.batch.fault = lambda *_: Fault(403)
        denied = told(rig.backend.examine(merge({"queue": "queue"})))

    only(found["environment"], WRONG, "is INVALID: no subnet", "--queue another")
    only(denied["queue"], WRONG, "AccessDeniedException", "allow it")


def environment_of(**facts):
    return {"computeEnvironmentName": "ce", "state": "ENABLED", "computeResources": {}, **facts}


def test_an_environment_beside_another():
    """One that can't take the jobs is a warning where another one can; one in change is too."""
    problem = SimpleNamespace(cause="it is small", hint="--cpu 1")
    small = place.environment_finding(environment_of(), problem, others=True)
    updated = place.environment_finding(environment_of(status="UPDATING"), None, others=True)

    assert (small.verdict, small.cause) == (WARNING, "it is small")
    assert (updated.verdict, "wait" in updated.hint) == (WARNING, True)


@pytest.mark.parametrize(
    ("name", "known", "verdict", "hint"),
    [
        ("eu-west-1", True, OK, ""),
        ("us-esat-1", True, WARNING, "AWS_DEFAULT_REGION=us-east-1"),
        ("my-cellar", False, OK, ""),
    ],
)
def test_regions(name, known, verdict, hint):
    """A region that botocore does not know is most often mistyped."""
    found = identity.region_finding(name, ["us-east-1", "eu-west-1"], known=known)

    assert found.verdict is verdict
    assert hint in found.hint


@pytest.mark.parametrize(
    ("left", "verdict", "said"),
    [
        (None, OK, "me"),
        (timedelta(hours=7, minutes=12), OK, "for 7 h 12 min more"),
        (timedelta(minutes=20), OK, "for 20 min more"),
        (timedelta(minutes=10), WARNING, "for 10 min more"),
        (timedelta(minutes=-10), WARNING, "for 0 min more"),
    ],
)
def test_how_long_credentials_last(left, verdict, said):
    """Those that end before the next cup of coffee are a warning."""
    found = identity.lasting("me", None if left is None else NOW + left, NOW)

    assert (found.verdict, said in found.found) == (verdict, True)


ROLE = roles.Role("iam_role", role("job"), "aws", "123456789012", "job", ())


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (json.loads(trust(TASKS)), OK),
        (trust(TASKS), OK),
        (trust(["batch.amazonaws.com", TASKS]), OK),
        (trust("ec2.amazonaws.com"), WRONG),
        (json.loads(trust(TASKS).replace("Allow", "Deny")), WRONG),
        (json.loads(trust(TASKS).replace("sts:AssumeRole", "sts:TagSession")), WRONG),
        ({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*"}}, OK),
        (None, WRONG),
    ],
)
def test_whom_a_role_trusts(document, verdict):
    """Jobs are tasks of ECS: a role must let these take it."""
    found = roles.trust_finding("iam role", ROLE, document)

    assert found.verdict is verdict
    assert found.hint == "" or json.loads(found.hint.split("'")[1])["Statement"]


@pytest.mark.parametrize(
    ("options", "services"),
    [
        ({}, {"logs"}),
        ({"image": "python:3.11", "log_driver": "splunk"}, set()),
        ({"image": f"{ECR}/team/train:arm"}, {"logs", "ecr"}),
    ],
)
def test_rights_to_start_a_job(options, services):
    """Fargate pulls from ECR and writes CloudWatch's log with the execution role, if it does."""
    home = ("aws", "eu-west-1", "111122223333")
    rights = roles.starting_rights(merge(options), options.get("image", "python:3.11"), home)

    assert {action.partition(":")[0] for action, _ in rights} == services


def test_rights_to_start_a_job_are_no_wider_than_needed():
    """A role that may write to one group and pull one image is enough."""
    options = merge({"log_options": {"awslogs-group": "/team"}})
    rights = dict(roles.starting_rights(options, f"{ECR}/team/train:arm", ("aws", "r", "a")))
    account, _, _, region = ECR.split(".")[:4]

    assert rights["logs:PutLogEvents"] == "arn:aws:logs:r:a:log-group:/team:log-stream:*"
    assert rights["ecr:BatchGetImage"] == f"arn:aws:ecr:{region}:{account}:repository/team/train"
    assert rights["ecr:GetAuthorizationToken"] == "*"


def test_rights_on_several_resources():
    """Decisions on single resources count, and pairs that no job needs don't."""
    rights = (("s3:ListBucket", "b"), ("s3:GetObject", "b/*"))
    each = [
        {"EvalResourceName": "b", "EvalResourceDecision": "explicitDeny"},
        {"EvalResourceName": "b/*", "EvalResourceDecision": "allowed"},
    ]
    results = [
        {"EvalActionName": action, "EvalDecision": "allowed", "ResourceSpecificResults": each}
        for action in ("s3:ListBucket", "s3:GetObject")
    ]

    assert roles.denials(rights, results) == [("s3:ListBucket", "b")]


@pytest.mark.parametrize(
    ("name", "registry", "python"),
    [
        ("python", "docker.io", ""),
        ("python:3.12-slim", "docker.io", "3.12"),
        ("python:3.9.18-bookworm", "docker.io", "3.9"),
        ("public.ecr.aws/docker/library/python:3.10", "public.ecr.aws", "3.10"),
        (f"{ECR}/team/train:py311-cu12", ECR, "3.11"),
        ("ghcr.io/me/it:2024-python3.13", "ghcr.io", "3.13"),
        ("pytorch/pytorch:2.5.1-cuda12.4", "docker.io", ""),
        ("localhost:5000/a/b:c", "localhost:5000", ""),
        (f"python:3.11@sha256:{'a' * 64}", "docker.io", "3.11"),
    ],
)
def test_names_of_images(name, registry, python):
    """Registry and Python are read from the name where they are in it."""
    found = pythons.parse(name)

    assert (found.registry, pythons.python_of(found)) == (registry, python)


@pytest.mark.parametrize("name", ["Python", "a b", "https://x/y", "x:", "/x", "x//y", "x@sha256:1"])
def test_what_is_no_name(name):
    """A name that no registry takes is known without asking one."""
    assert pythons.parse(name) is None


def test_an_image_says_its_own_python(moto):
    """A single image in ECR says its processor and, where it is built on Python's own, which."""
    said = {"architecture": "amd64", "config": {"Env": ["A=b", "PYTHON_VERSION=3.12.4"]}}
    manifest = {"schemaVersion": 2, "config": {"digest": f"sha256:{'1' * 64}"}}
    index = {"manifests": [{"digest": "sha256:x", "platform": {"architecture": "amd64"}}]}

    with serve(lambda _: Answer(200, json.dumps(said).encode())) as layers:

        class Registry:
            def batch_get_image(self, imageIds, **_):
                found = manifest if "imageDigest" in imageIds[0] else index
                return {"images": [{"imageManifest": json.dumps(found)}]}

            def get_download_url_for_layer(self, layerDigest, **_):
                return {"downloadUrl": f"{layers.url}/{layerDigest}"}

        repository = image.Repository(Registry(), "123456789012", "team/train")
        found = repository.configuration(repository.manifest("latest"), "amd64")

    assert found == said
    assert image.python_version(found) == "3.12"
    assert image.python_version({}) == ""
    assert layers.asked[0].path.endswith("1" * 64)


@pytest.mark.parametrize(
    ("has", "verdict", "said"),
    [
        (["amd64", "arm64"], OK, "for amd64"),
        (["arm64"], WRONG, "--platform ARM64"),
        ([""], OK, "not told"),
    ],
)
def test_processors_of_an_image(has, verdict, said):
    """An image for another processor would not start."""
    found = image.fitting_finding("it", has, "amd64")

    assert (found.verdict, said in found.found + found.hint) == (verdict, True)


def test_what_is_only_the_doctors_own_permission():
    """A refusal says that jobs don't mind; any other trouble says what to do."""
    refused = untold("role", "it", AccessDeniedError("a", "b", "ask for it"))
    unreachable = untold("role", "it", UnreachableError("a", "b", "check the network"))

    assert "jobs don't need" in refused.hint
    assert "check the network" in unreachable.hint
