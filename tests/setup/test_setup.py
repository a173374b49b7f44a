"""`nbbatch setup` in an account on moto: made, kept up to date, used, taken away."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aws_rig
import pytest

import nbbatch
from nbbatch.backends.aws.setup import roles
from nbbatch.backends.aws.setup.template import made, template
from nbbatch.cli import main
from nbbatch.config import configured
from nbbatch.session import current_session
from tests.servers import KEYS, REGION
from tests.setup import account
from tests.setup.account import aws
from tests.setup.conftest import Terminal

# moto's way to say that it passes over a bucket's policy.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy")


def config() -> Path:
    return Path(os.environ["NBBATCH_HOME"]) / "config.toml"


def queues(cloud: str, name: str) -> set[str]:
    found = aws(cloud, "batch").describe_job_queues()["jobQueues"]
    return {q["jobQueueName"] for q in found if q["jobQueueName"].startswith(name)}


def left(cloud: str, name: str) -> list[str]:
    """Return what there is of a stack in the services themselves."""
    batch, iam, ec2 = (aws(cloud, service) for service in ("batch", "iam", "ec2"))
    environments = batch.describe_compute_environments()["computeEnvironments"]
    found = [environment["computeEnvironmentName"] for environment in environments]
    found += [role["RoleName"] for role in iam.list_roles()["Roles"]]
    found += [p["PolicyName"] for p in iam.list_policies(Scope="Local")["Policies"]]
    found += [p["InstanceProfileName"] for p in iam.list_instance_profiles()["InstanceProfiles"]]
    found += [g["GroupName"] for g in ec2.describe_security_groups()["SecurityGroups"]]
    found += [b["Name"] for b in aws(cloud, "s3").list_buckets()["Buckets"]]
    groups = aws(cloud, "logs").describe_log_groups()["logGroups"]
    found += [group["logGroupName"].removeprefix("/nbbatch/") for group in groups]
    return [*queues(cloud, name), *(n for n in found if n.startswith(name))]


def stacks(cloud: str, name: str) -> list[str]:
    found = aws(cloud, "cloudformation").describe_stacks()["Stacks"]
    return [stack["StackStatus"] for stack in found if stack["StackName"] == name]


class Built(NamedTuple):
    """A stack that several tests look at, and that none of them changes."""

    name: str
    said: str
    config: str


@pytest.fixture(scope="module")
def built(moto: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Set an account up as somebody who answers yes."""
    name, home = f"test-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("home")
    variables = {**KEYS, "AWS_ENDPOINT_URL": moto, "AWS_DEFAULT_REGION": REGION}
    variables.update({"NBBATCH_HOME": str(home), "METAFLOW_HOME": str(home)})
    keyboard, screen = io.StringIO("y\n"), io.StringIO()
    keyboard.isatty = lambda: True  # type: ignore[method-assign]
    line = f"setup --name {name} --max-vcpus 12 --disk 200"
    with account.corrected(), pytest.MonkeyPatch.context() as patch:
        account.prepare(moto)
        account.open_network(moto)
        for key, value in variables.items():
            patch.setenv(key, value)
        patch.setattr(sys, "stdin", keyboard)
        with contextlib.redirect_stdout(screen), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Tried to parse AWS::S3::BucketPolicy")
            assert main(line.split()) == 0
    yield Built(name, screen.getvalue(), (home / "config.toml").read_text())


@pytest.fixture
def mine(cloud: str, built: Built) -> str:
    """Be the user who set that account up; give the name of the stack."""
    config().parent.mkdir(parents=True, exist_ok=True)
    config().write_text(built.config)
    return built.name


def test_all_is_shown_before_it_is_made(built: Built) -> None:
    """Each resource, the network and the costs come before the question, the steps after."""
    before, after = built.said.split("Make all this?")

    for resource in made(template(), {}):
        assert f"  {resource.name} " in before
    assert "nothing while no job runs" in before
    assert "the account's default one" in before
    assert "up to 12 vCPUs in each environment; GPUs of g4dn, g5; 200 GiB of disk" in before
    assert "FargateQueue            create complete" in after
    assert after.index("the stack               create complete") < after.index("Written to")


def test_the_settings_are_those_of_what_was_made(mine: str) -> None:
    """Bucket, queue, roles, region and log group are written; nothing else is needed."""
    settings = configured({}, {"NBBATCH_HOME": os.environ["NBBATCH_HOME"]})

    assert settings.backend == "aws"
    assert settings.region == REGION
    assert settings.s3_root.startswith(f"s3://{mine}-bucket-")
    assert settings.s3_root.endswith("/nbbatch")
    assert settings.defaults["queue"] == f"{mine}-fargate"
    for option, role in (("iam_role", "JobRole"), ("execution_role", "ExecutionRole")):
        assert f":role/{mine}-{role}-" in settings.defaults[option]
    assert settings.defaults["log_options"] == {"awslogs-group": f"/nbbatch/{mine}"}


def test_what_is_made_is_what_the_template_says(cloud: str, mine: str) -> None:
    """Environments are of their kinds, without vCPUs of their own; queues lead to them."""
    batch, ec2 = aws(cloud, "batch"), aws(cloud, "ec2")
    found = {
        queue["jobQueueName"].removeprefix(mine + "-"): resources_of(batch, queue)
        for queue in batch.describe_job_queues()["jobQueues"]
        if queue["jobQueueName"].startswith(mine)
    }
    kinds = {kind: environment["type"] for kind, environment in found.items()}

    assert kinds == {
        "fargate": "FARGATE",
        "fargate-spot": "FARGATE_SPOT",
        "ec2": "EC2",
        "spot": "SPOT",
        "gpu": "EC2",
    }
    assert {int(e["maxvCpus"]) for e in found.values()} == {12}
    assert {int(e.get("minvCpus", 0)) for e in found.values()} == {0}
    assert found["gpu"]["instanceTypes"] == ["g4dn", "g5"]
    [group] = {g for e in found.values() for g in e["securityGroupIds"]}
    [rules] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [p["UserIdGroupPairs"][0]["GroupId"] for p in rules["IpPermissions"]] == [group]
    versions = ec2.describe_launch_template_versions(
        LaunchTemplateId=found["ec2"]["launchTemplate"]["launchTemplateId"]
    )["LaunchTemplateVersions"]
    [disk] = versions[0]["LaunchTemplateData"]["BlockDeviceMappings"]
    assert (disk["Ebs"]["VolumeSize"], disk["Ebs"]["Encrypted"]) == (200, True)


def test_a_second_time_changes_nothing(
    cloud: str, mine: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked, made or written again; what hides a setting is said all the same."""
    before, there = config().read_text(), left(cloud, mine)
    monkeypatch.setenv("NBBATCH_QUEUE", "another")

    assert terminal.run(f"setup --name {mine}", "n") == 0
    assert "up to date: nothing to change" in terminal.out
    assert "says so already" in terminal.out
    assert "Mind: queue is also set by NBBATCH_QUEUE, which comes first." in terminal.out
    assert (config().read_text(), left(cloud, mine)) == (before, there)


def test_a_change_is_shown_and_asked_for(cloud: str, mine: str, terminal: Terminal) -> None:
    """An update says what changes; refused, it leaves no trace."""
    assert terminal.run(f"setup --name {mine} --expiry 60", "n") == 1
    assert "Bucket S3 Bucket changed" in terminal.said
    assert "Nothing was done." in terminal.out
    assert terminal.run(f"setup --name {mine} --expiry 60 --dry-run") == 0
    assert expiry(cloud, mine) == "30"
    proposed = aws(cloud, "cloudformation").list_change_sets(StackName=mine)["Summaries"]
    assert [p for p in proposed if p["ExecutionStatus"] == "AVAILABLE"] == []


def test_an_update_that_fails_is_taken_back(
    cloud: str, mine: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed, why, and that all is as it was before."""
    why = "User: x is not authorized to perform: s3:PutLifecycleConfiguration"

    def denied(**_: object) -> None:
        raise PermissionError(why)

    monkeypatch.setattr("moto.s3.models.FakeBucket.update_from_cloudformation_json", denied)

    assert terminal.run(f"setup --name {mine} --expiry 60 --yes") == 1
    assert "update rollback complete" in terminal.out
    assert "Bucket (AWS::S3::Bucket) was not changed; all is as it was before" in terminal.err
    assert why in terminal.err
    assert terminal.err.startswith("AccessDeniedError")
    assert stacks(cloud, mine) == ["UPDATE_ROLLBACK_COMPLETE"]


def test_nothing_is_done_without_a_yes(cloud: str, terminal: Terminal, name: str) -> None:
    """A no, a dry run, and nobody to ask leave the account and the file alone."""
    assert terminal.run(f"setup --name {name}", "n") == 1
    assert terminal.run(f"setup --name {name} --dry-run") == 0
    assert "FargateQueue" in terminal.out
    for command in ("setup", "setup --delete"):
        assert terminal.run(f"{command} --name {name}") == 1
        assert "there is no terminal to answer in" in terminal.err
        assert f"next:  nbbatch {command} --dry-run" in terminal.err
    assert (left(cloud, name), stacks(cloud, name), config().exists()) == ([], [], False)


def test_the_template_is_shown(terminal: Terminal) -> None:
    """It is printed as it would be sent, without an account."""
    assert terminal.run("setup --show") == 0
    assert terminal.out == template()


def test_a_failure_names_its_cause_and_leaves_nothing(
    cloud: str, terminal: Terminal, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resource at fault, CloudFormation's reason, what to do; no stack and no bucket stay.

    The service-linked roles, which are the account's, are made first and do stay.
    """
    # moto names these roles after the service, in small letters.
    service = f"{name.replace('-', '')}.amazonaws.com"
    role = f"AWSServiceRoleFor{service.partition('.')[0]}"
    monkeypatch.setitem(roles.SERVICES, service, role)
    logs = aws(cloud, "logs")
    logs.create_log_group(logGroupName=f"/nbbatch/{name}")

    assert terminal.run(f"setup --name {name} --yes --no-gpu") == 1
    assert f"once for the account: the service-linked roles of {service}." in terminal.said
    assert f"made the service-linked role of {service}" in terminal.out
    assert "LogGroup create failed" in terminal.said
    assert "the stack rollback complete" in terminal.said
    assert "LogGroup (AWS::Logs::LogGroup) was not made; nothing of it is left" in terminal.err
    assert "already exists" in terminal.err
    assert "--name NAME" in terminal.err
    logs.delete_log_group(logGroupName=f"/nbbatch/{name}")
    assert (left(cloud, name), stacks(cloud, name), config().exists()) == ([], [], False)
    assert aws(cloud, "iam").get_role(RoleName=role)


def test_it_is_changed_and_all_taken_away(cloud: str, terminal: Terminal, name: str) -> None:
    """An update keeps what was not said; the results go last, when the bucket's name was typed."""
    assert terminal.run(f"setup --name {name} --yes --no-gpu") == 0
    assert terminal.run(f"setup --name {name} --expiry 60", "y") == 0
    assert "update complete" in terminal.out
    assert expiry(cloud, name) == "60"
    assert f"{name}-gpu" not in queues(cloud, name)
    bucket, s3 = bucket_of_settings(), aws(cloud, "s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key, text in (("jobs/a", b"one"), ("jobs/a", b"two"), ("blobs/b", b"three")):
        s3.put_object(Bucket=bucket, Key=f"nbbatch/{key}", Body=text)
    s3.delete_object(Bucket=bucket, Key="nbbatch/jobs/a")

    assert terminal.run(f"setup --delete --name {name} --dry-run") == 0
    assert terminal.run(f"setup --delete --name {name}", "n") == 1
    assert len(left(cloud, name)) > 10
    assert terminal.run(f"setup --delete --name {name}", "y", bucket) == 0
    assert f"s3://{bucket} holds 1 objects, 5 bytes" in terminal.out
    assert f"job-queue/{name}-fargate" in terminal.out
    assert (left(cloud, name), stacks(cloud, name), config().exists()) == ([], [], False)


def test_results_are_kept_unless_the_buckets_name_is_typed(
    cloud: str, terminal: Terminal, name: str
) -> None:
    """A mere yes takes the rest away; a script must say what becomes of the results."""
    assert terminal.run(f"setup --name {name} --yes --no-gpu") == 0
    bucket = bucket_of_settings()
    aws(cloud, "s3").put_object(Bucket=bucket, Key="nbbatch/jobs/a/outcome/1", Body=b"1")

    assert terminal.run(f"setup --delete --name {name} --yes") == 1
    assert "--keep-bucket, or --delete-results" in terminal.err
    assert stacks(cloud, name) == ["CREATE_COMPLETE"]
    assert terminal.run(f"setup --delete --name {name}", "y", "yes") == 0
    assert f"Kept: s3://{bucket}" in terminal.out
    assert left(cloud, name) == [bucket]
    assert aws(cloud, "s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_the_users_own_settings_stay(cloud: str, terminal: Terminal, name: str) -> None:
    """A profile is written beside them, what it replaces is said, and all of it goes again."""
    config().parent.mkdir(parents=True, exist_ok=True)
    before = '# my own\nimage = "team/image"  # ours\n\n[profiles.team]\nqueue = "old"\ncpu = 2\n'
    config().write_text(before)

    assert terminal.run(f"setup --name {name} --yes --no-gpu --profile team") == 0
    assert "in place of queue" in terminal.said
    assert "(was old)" in terminal.out
    assert "export NBBATCH_PROFILE=team" in terminal.out
    assert config().with_name("config.toml.bak").read_text() == before
    settings = configured({}, {**os.environ, "NBBATCH_PROFILE": "team"})
    assert (settings.backend, settings.defaults["image"]) == ("aws", "team/image")
    assert configured({}, os.environ).backend == "local"
    flags = "--yes --delete-results --profile team"
    assert terminal.run(f"setup --delete --name {name} {flags}") == 0
    assert config().read_text() == before.replace('queue = "old"\n', "")
    assert left(cloud, name) == []


def test_another_ones_stack_is_left_alone(cloud: str, terminal: Terminal, name: str) -> None:
    """A stack of that name that setup did not make is neither changed nor deleted."""
    body = "Resources: {Topic: {Type: 'AWS::Logs::LogGroup'}}"
    aws(cloud, "cloudformation").create_stack(StackName=name, TemplateBody=body)

    for line in (f"setup --name {name} --yes", f"setup --delete --name {name} --yes --keep-bucket"):
        assert terminal.run(line) == 1
        assert "take another name: --name NAME" in terminal.err
    assert stacks(cloud, name) == ["CREATE_COMPLETE"]


def test_nothing_to_delete(cloud: str, terminal: Terminal, name: str) -> None:
    """A stack that is not there is an error that says how to find the others."""
    assert terminal.run(f"setup --delete --name {name} --yes --keep-bucket") == 1
    assert f"there is no stack {name} in us-east-1" in terminal.err


def test_an_account_without_a_default_network(cloud: str, terminal: Terminal, name: str) -> None:
    """The networks that there are are named, and what to type; one that is named is used."""
    region = "eu-north-1"
    ec2 = aws(cloud, "ec2", region)
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    place = {"CidrBlock": "10.0.0.0/24", "AvailabilityZone": f"{region}a"}
    subnet = ec2.create_subnet(VpcId=vpc, **place)["Subnet"]["SubnetId"]

    line = f"setup --name {name} --region {region} --dry-run"
    assert terminal.run(line) == 1
    assert f"there is no default VPC in {region}" in terminal.err
    assert vpc in terminal.err
    assert "--vpc vpc-" in terminal.err
    for more in (f"--vpc {vpc}", f"--subnets {subnet}"):
        assert terminal.run(f"{line} {more}") == 0
        assert f"VPC {vpc}, with a security group of its own; subnets {subnet}" in terminal.said
        assert "no way to the internet" in terminal.said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--vpc vpc-00000000", "does not exist"),
        ("--subnets subnet-00000000", "does not exist"),
        ("--gpu-types zz9", "has no instances of that type or family"),
        ("--max-vcpus 0", "it takes a whole number, 1 or more"),
    ],
)
def test_wrong_values_are_said_before_anything(
    cloud: str, terminal: Terminal, name: str, flags: str, said: str
) -> None:
    """What is not there is an error of three parts, and nothing was made."""
    assert terminal.run(f"setup --name {name} --yes {flags}") == 1
    assert said in terminal.err
    assert "next:" in terminal.err
    assert stacks(cloud, name) == []


def test_security_groups_of_ones_own(cloud: str, terminal: Terminal, name: str) -> None:
    """They are used instead of a new one; all must be in one VPC."""
    ec2 = aws(cloud, "ec2")
    elsewhere = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    names = {"GroupName": name + "-own", "Description": "own"}
    wrong = ec2.create_security_group(**names, VpcId=elsewhere)["GroupId"]
    right = ec2.create_security_group(**names, VpcId=account.open_network(cloud))["GroupId"]

    assert terminal.run(f"setup --name {name} --yes --security-groups {wrong}") == 1
    assert f"{wrong} is in {elsewhere}" in terminal.err
    assert terminal.run(f"setup --name {name} --dry-run --security-groups {right}") == 0
    assert f"security groups {right}" in terminal.said
    assert "SecurityGroup " not in terminal.out


def test_a_broken_configuration_file_stops_it_first(
    cloud: str, terminal: Terminal, name: str
) -> None:
    """Nothing is made that could not be written down."""
    config().parent.mkdir(parents=True, exist_ok=True)
    config().write_text("queue = [\n")

    assert terminal.run(f"setup --name {name} --yes") == 1
    assert "config.toml can't be read" in terminal.err
    assert stacks(cloud, name) == []


def test_without_credentials(
    cloud: str, terminal: Terminal, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who can't be told from anybody is told to sign in."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert terminal.run(f"setup --name {name} --yes") == 1
    assert "CredentialsError: AWS can't be used" in terminal.err


def test_jobs_run_with_what_was_written(
    tmp_path: Path, terminal: Terminal, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the written settings alone the doctor is content, and a function runs.

    moto's own Batch runs no jobs on Fargate; the queues that it made are served by one that does.
    """
    home = str(tmp_path / "home")
    with aws_rig.aws_rig(tmp_path) as rig, account.corrected():
        monkeypatch.setenv("NBBATCH_HOME", home)
        monkeypatch.setenv("METAFLOW_HOME", home)
        account.prepare(rig.moto)
        assert terminal.run(f"setup --name {name} --yes") == 0
        batch = aws(rig.moto, "batch")
        rig.batch.queues = {
            queue["jobQueueName"]: resources_of(batch, queue)["type"]
            for queue in batch.describe_job_queues()["jobQueues"]
        }

        assert terminal.run("doctor") == 0
        assert "nothing is wrong" in terminal.out
        assert nbbatch.batch(lambda x: 2 * x)(21) == 42
        sources = current_session().settings.sources
        assert {sources[n] for n in ("s3_root", "queue", "iam_role")} == {f"{home}/config.toml"}
        [container] = [
            body["containerProperties"]
            for call, body in rig.batch.calls
            if call == "registerjobdefinition"
        ]
        assert f"{name}-JobRole" in container["jobRoleArn"]
        assert f"{name}-ExecutionRole" in container["executionRoleArn"]
        [submitted] = [body for call, body in rig.batch.calls if call == "submitjob"]
        assert submitted["jobQueue"] == f"{name}-fargate"


def resources_of(batch: Any, queue: Any) -> Any:
    """Return what the first compute environment of a queue has."""
    name = queue["computeEnvironmentOrder"][0]["computeEnvironment"]
    answer = batch.describe_compute_environments(computeEnvironments=[name])
    return answer["computeEnvironments"][0]["computeResources"]


def expiry(cloud: str, name: str) -> str:
    stack = aws(cloud, "cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}["ExpiryDays"]


def bucket_of_settings() -> str:
    return configured({}, os.environ).s3_root.split("/")[2]
