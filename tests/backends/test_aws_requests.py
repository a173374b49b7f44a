"""The aws backend's requests: plain data in, plain data out."""

from __future__ import annotations

import dataclasses
import json
import sys

import pytest
from aws_rig import EXECUTION_ROLE, ROLE
from option_sets import validated

from nbbatch.backends.aws import requests
from nbbatch.backends.aws.queues import Queue
from nbbatch.backends.base import Launch
from nbbatch.errors import LimitError, OptionError
from nbbatch.options import Options, merge
from nbbatch.wire import keys
from nbbatch.worker.boot.bootstrap import bootstrap_command

ARN = "arn:aws:batch:eu-west-1:123456789012:job-queue/queue"
EC2 = Queue("queue", "EC2", arn=ARN)
FARGATE = Queue("queue", "FARGATE_SPOT", arn=ARN)
EKS = Queue("queue", "EKS", arn=ARN)
JOB = "20260131-094500-1f0c2a9b"


def options(**changes):
    return merge({"iam_role": ROLE, "image": "python:3.12", **changes})


def launch(options=None, environment=None, **changes):
    own = {keys.ENV_JOB: JOB, **(environment or {})}
    given = options or merge({"iam_role": ROLE, "image": "python:3.12"})
    whole = {"job_id": JOB, "name": "train", "options": given, "environment": own}
    return Launch(**{**whole, "worker": "0" * 64, **changes})


def defined(queue=EC2, **changes):
    """Build a definition, checked by botocore's model, without its name."""
    request = validated("RegisterJobDefinition", requests.job_definition(options(**changes), queue))
    assert request.pop("jobDefinitionName").startswith("nbbatch-")
    return request


def container(queue=EC2, **changes):
    return defined(queue, **changes)["containerProperties"]


def pod(**changes):
    return defined(EKS, **changes)["eksProperties"]["podProperties"]


def submitted(queue=EC2, *, of=None, environment=None, depends_on=(), **changes):
    """Build a job, checked by botocore's model."""
    job = launch(options(**changes), environment, depends_on=depends_on)
    return validated("SubmitJob", requests.submit_job(job, queue, "nbbatch-x", of))


def test_definition_on_ec2():
    """What does not vary per job is in the definition; what Batch only wants to see is fixed."""
    assert defined(cpu=4, gpu=1, shared_memory=64) == {
        "type": "container",
        "platformCapabilities": ["EC2"],
        "propagateTags": True,
        "containerProperties": {
            "image": "python:3.12",
            "command": bootstrap_command("python"),
            "jobRoleArn": ROLE,
            "resourceRequirements": [
                {"type": "VCPU", "value": "1"},
                {"type": "MEMORY", "value": "4096"},
            ],
            "linuxParameters": {"sharedMemorySize": 64},
        },
    }


def test_name_is_a_hash():
    """The name is made of the content alone."""
    name = requests.job_definition(options(), EC2)["jobDefinitionName"]

    assert len(name) == len("nbbatch-") + 32
    assert requests.job_definition(options(cpu=3), EC2)["jobDefinitionName"] == name


def test_definition_on_fargate():
    """Fargate needs an execution role and, as Metaflow does it, a public address."""
    request = defined(FARGATE, execution_role=EXECUTION_ROLE)

    assert request["platformCapabilities"] == ["FARGATE"]
    assert request["containerProperties"]["executionRoleArn"] == EXECUTION_ROLE
    assert request["containerProperties"]["networkConfiguration"] == {"assignPublicIp": "ENABLED"}
    assert "linuxParameters" not in request["containerProperties"]


def test_what_fargate_alone_has():
    """Processor, platform version, disk and address."""
    found = container(
        FARGATE,
        execution_role=EXECUTION_ROLE,
        platform="ARM64",
        platform_version="1.4.0",
        ephemeral_storage=100,
        assign_public_ip=False,
        init_process=True,
    )

    assert found["runtimePlatform"] == {
        "operatingSystemFamily": "LINUX",
        "cpuArchitecture": "ARM64",
    }
    assert found["fargatePlatformConfiguration"] == {"platformVersion": "1.4.0"}
    assert found["ephemeralStorage"] == {"sizeInGiB": 100}
    assert found["networkConfiguration"] == {"assignPublicIp": "DISABLED"}
    assert found["linuxParameters"] == {"initProcessEnabled": True}


def test_memory_and_devices():
    """Swap, Neuron devices, adapters and the file system in memory are those of Metaflow."""
    found = container(max_swap=0, swappiness=0, trainium=2, efa=1, use_tmpfs=True, memory=5001)
    both = {"permissions": ["READ", "WRITE"]}

    assert found["linuxParameters"] == {
        "maxSwap": 0,
        "swappiness": 0,
        "devices": [
            {"hostPath": "/dev/neuron0", "containerPath": "/dev/neuron0", **both},
            {"hostPath": "/dev/neuron1", "containerPath": "/dev/neuron1", **both},
            {"hostPath": "/dev/infiniband/uverbs0"},
        ],
        "tmpfs": [{"containerPath": "/metaflow_temp", "size": 2500, "mountOptions": ["defaults"]}],
    }


def test_all_adapters_of_one_node():
    """Where several are asked for, several are given: not the first alone."""
    devices = container(efa=3)["linuxParameters"]["devices"]

    assert [d["hostPath"] for d in devices] == [f"/dev/infiniband/uverbs{n}" for n in range(3)]


def test_volumes():
    """Each volume is there once, under a name of its own, however often it is mounted."""
    found = container(
        host_volumes=["/data", "/data:/again", "/a.b:/x", "/a/b:/y"],
        efs_volumes=["fs-0123456789abcdef0", "fs-0123456789abcdef0:/home"],
    )
    efs = {"fileSystemId": "fs-0123456789abcdef0", "transitEncryption": "ENABLED"}

    assert found["volumes"] == [
        {"name": "_data", "host": {"sourcePath": "/data"}},
        {"name": "_a_b", "host": {"sourcePath": "/a.b"}},
        {"name": "_a_b-2", "host": {"sourcePath": "/a/b"}},
        {"name": "efs_fs-0123456789abcdef0", "efsVolumeConfiguration": efs},
    ]
    assert [(m["sourceVolume"], m["containerPath"]) for m in found["mountPoints"]] == [
        ("_data", "/data"),
        ("_data", "/again"),
        ("_a_b", "/x"),
        ("_a_b-2", "/y"),
        ("efs_fs-0123456789abcdef0", "/mnt/fs-0123456789abcdef0"),
        ("efs_fs-0123456789abcdef0", "/home"),
    ]


def test_a_readonly_root_keeps_a_place_for_temporary_files():
    """The worker needs one; where something is mounted there already that is it."""
    found = container(readonly_root=True)

    assert found["readonlyRootFilesystem"] is True
    assert found["volumes"] == [{"name": "nbbatch_scratch", "host": {}}]
    assert found["mountPoints"] == [{"sourceVolume": "nbbatch_scratch", "containerPath": "/tmp"}]
    assert "volumes" not in container(readonly_root=True, tmpfs_size=9, tmpfs_path="/tmp")


def test_rights_and_limits():
    """User, rights and limits of processes."""
    found = container(user="me:us", privileged=True, ulimits=["nofile=4096:8192", "core=0"])

    assert (found["user"], found["privileged"]) == ("me:us", True)
    assert found["ulimits"] == [
        {"name": "nofile", "softLimit": 4096, "hardLimit": 8192},
        {"name": "core", "softLimit": 0, "hardLimit": 0},
    ]


def test_log_configuration():
    """Options alone are those of the driver that Batch has by default."""
    group = {"awslogs-group": "/my/jobs"}

    assert container(log_driver="splunk")["logConfiguration"] == {"logDriver": "splunk"}
    assert container(log_options="awslogs-group:/my/jobs")["logConfiguration"] == {
        "logDriver": "awslogs",
        "options": group,
    }


SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/db"


@pytest.mark.parametrize(
    ("source", "value_from"),
    [
        ("db", SECRET + "db"),
        ("aws-secrets-manager.db", SECRET + "db"),
        ("db#password", SECRET + "db:password::"),
        (SECRET + "db-AbCdEf", SECRET + "db-AbCdEf"),
        (SECRET + "db-AbCdEf:password::", SECRET + "db-AbCdEf:password::"),
        (SECRET.replace("123456789012", "") + "db", SECRET + "db"),
        ("ssm:/team/db", "/team/db"),
        (PARAMETER, PARAMETER),
    ],
)
def test_secrets(source, value_from):
    """Batch is told where a secret lies; the secret itself is in no request."""
    found = requests.container.secrets(Options(secrets=(("DB", source), ("", source))), EC2)

    assert found == [
        {"name": "DB", "valueFrom": value_from},
        {"name": keys.whole_secret(1), "valueFrom": value_from},
    ]


def test_secrets_are_read_with_the_execution_role():
    """On EC2 too, where there is none otherwise."""
    roles = {"execution_role": EXECUTION_ROLE}

    assert container(secrets="DB=db", **roles)["executionRoleArn"] == EXECUTION_ROLE
    assert container(secrets="DB=db", **roles)["secrets"][0]["name"] == "DB"
    assert "executionRoleArn" not in container(**roles)


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        (None, "reg.io/python:{}.{}".format(*sys.version_info)),
        ("python", "reg.io/python"),
        ("team/app:1", "reg.io/team/app:1"),
        ("team/app@sha256:00", "reg.io/team/app@sha256:00"),
        ("own.io/team/app", "own.io/team/app"),
        ("localhost/app", "localhost/app"),
        ("10.0.0.1:5000/app:1", "10.0.0.1:5000/app:1"),
    ],
)
def test_registry(image, whole):
    """An image that names no registry gets the configured one."""
    assert requests.with_registry(image, "reg.io/") == whole
    assert requests.with_registry(None, None, "3.9") == "python:3.9"
    assert requests.with_registry(image, None) == (image or requests.default_image())


def test_default_image():
    """Without an image the kernel's own Python runs the job."""
    version = "{}.{}".format(*sys.version_info)

    assert container(image=None)["image"] == f"python:{version}"


PER_JOB = {
    "cpu": 8.0,
    "memory": 9000,
    "gpu": 2,
    "timeout": 99,
    "retries": 3,
    "minutes_between_retries": 1,
    "retry_on": "spot",
    "catch": "problem",
    "print_exception": False,
    "depends_on": JOB,
    "lazy": True,
    "cache": True,
    "environment": {"A": "1"},
    "allow_override": True,
    "tmpfs_tempdir": False,
    "tmpfs_path": "/unused",
    "aws_batch_tags": {"a": "1"},
    "tags": {"a": "1"},
    "propagate_tags": False,
    "name": "other",
    "share_identifier": "team",
    "scheduling_priority": 3,
    "parameters": {"a": "1"},
}
PER_DEFINITION = {
    "image": "python:3.13",
    "iam_role": ROLE + "2",
    "executable": "python3",
    "shared_memory": 128,
    "max_swap": 0,
    "swappiness": 0,
    "secrets": "DB=db",
    "privileged": True,
    "user": "me",
    "readonly_root": True,
    "init_process": True,
    "ulimits": "core=0",
    "use_tmpfs": True,
    "tmpfs_size": 64,
    "host_volumes": "/data",
    "efs_volumes": "fs-0123456789abcdef0",
    "inferentia": 1,
    "trainium": 1,
    "efa": 1,
    "nodes": 2,
    "log_driver": "awslogs",
    "log_options": "a:b",
    "extra": {"containerProperties": {"enableExecuteCommand": True}},
}
#: On Fargate or EKS alone, or not in a definition at all.
ELSEWHERE = {
    "allow_override",
    "execution_role",
    "queue",
    "ephemeral_storage",
    "platform",
    "platform_version",
    "platform_capabilities",
    "assign_public_ip",
    "service_account",
    "job_definition",
    "env",
    "pypi",
    "conda",
    "conda_channels",
    "requirements",
    "python",
    "library_cache",
}


@pytest.mark.parametrize("change", [{k: v} for k, v in PER_JOB.items()], ids=PER_JOB)
def test_same_definition_for_what_varies_per_job(change):
    """Jobs that differ in resources, timeout, retries, tags or name share a definition."""
    assert requests.job_definition(options(**change), EC2) == requests.job_definition(
        options(), EC2
    )


@pytest.mark.parametrize("change", [{k: v} for k, v in PER_DEFINITION.items()], ids=PER_DEFINITION)
def test_other_definition_for_other_content(change):
    """A change of the content is a change of the name."""
    before = requests.job_definition(options(), EC2)["jobDefinitionName"]

    assert requests.job_definition(options(**change), EC2)["jobDefinitionName"] != before


def test_every_option_is_tried():
    """No option is missing from the lists above."""
    named = {field.name for field in dataclasses.fields(Options)}

    assert named == set(PER_JOB) | set(PER_DEFINITION) | ELSEWHERE


def test_definition_on_eks():
    """A pod with one container, in Kubernetes' words and units."""
    command = bootstrap_command("python")
    # Kubernetes would replace $(NAME) and $$.
    assert "$" not in "".join(command)
    assert defined(EKS, service_account="reader") == {
        "type": "container",
        "eksProperties": {
            "podProperties": {
                "serviceAccountName": "reader",
                "containers": [
                    {
                        "name": "nbbatch",
                        "image": "python:3.12",
                        "command": command,
                        "resources": {
                            "limits": {"cpu": "1", "memory": "4096Mi"},
                            "requests": {"cpu": "1", "memory": "4096Mi"},
                        },
                    }
                ],
            }
        },
    }


def test_rights_and_volumes_of_a_pod():
    """What EC2 has as parameters of Linux, a pod has as volumes and a security context."""
    found = pod(
        user="1000:100",
        privileged=True,
        readonly_root=True,
        shared_memory=64,
        tmpfs_size=32,
        host_volumes=["/data", "/data:/again"],
    )
    main = found["containers"][0]

    assert main["securityContext"] == {
        "runAsUser": 1000,
        "runAsGroup": 100,
        "privileged": True,
        "readOnlyRootFilesystem": True,
    }
    assert found["volumes"] == [
        {"name": "tmpfs", "emptyDir": {"medium": "Memory", "sizeLimit": "32Mi"}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
        {"name": "volume-0", "hostPath": {"path": "/data"}},
        {"name": "volume-1", "emptyDir": {}},
    ]
    assert [(m["name"], m["mountPath"]) for m in main["volumeMounts"]] == [
        ("tmpfs", "/metaflow_temp"),
        ("shm", "/dev/shm"),
        ("volume-0", "/data"),
        ("volume-0", "/again"),
        ("volume-1", "/tmp"),
    ]


def test_submit_on_eks():
    """The pod's container is found by its name; a pod has no tags."""
    request = submitted(
        EKS, cpu=0.5, gpu=1, memory=2048, propagate_tags=False, environment={"A": "1"}
    )
    wanted = {"cpu": "0.5", "memory": "2048Mi", "nvidia.com/gpu": "1"}

    assert "containerOverrides" not in request
    assert "propagateTags" not in request
    assert request["eksPropertiesOverride"]["podProperties"]["containers"] == [
        {
            "name": "nbbatch",
            "env": [{"name": "A", "value": "1"}, {"name": keys.ENV_JOB, "value": JOB}],
            "resources": {"limits": wanted, "requests": wanted},
        }
    ]


def test_several_nodes():
    """One range with an open end serves any number of nodes: each job says how many."""
    definition = defined(nodes=4, efa=2)
    nodes = definition["nodeProperties"]
    request = submitted(nodes=4, cpu=8, environment={"A": "1"})
    devices = nodes["nodeRangeProperties"][0]["container"]["linuxParameters"]["devices"]

    assert definition["type"] == "multinode"
    assert "containerProperties" not in definition
    assert (nodes["mainNode"], nodes["nodeRangeProperties"][0]["targetNodes"]) == (0, "0:")
    assert definition == defined(nodes=7, efa=2)
    assert [d["containerPath"] for d in devices] == [f"/dev/infiniband/uverbs{n}" for n in (0, 1)]
    assert devices[0]["permissions"] == ["READ", "WRITE", "MKNOD"]
    assert request["nodeOverrides"] == {
        "numNodes": 4,
        "nodePropertyOverrides": [
            {
                "targetNodes": "0:",
                "containerOverrides": {
                    "environment": [
                        {"name": "A", "value": "1"},
                        {"name": keys.ENV_JOB, "value": JOB},
                    ],
                    "resourceRequirements": [
                        {"type": "VCPU", "value": "8"},
                        {"type": "MEMORY", "value": "4096"},
                    ],
                },
            }
        ],
    }


def test_submit():
    """The request says what varies, and no GPU where none is asked for."""
    request = submitted(cpu=2, memory=16000, retries=2, timeout=600, environment={"A": "1"})

    assert request == {
        "jobName": f"train-{JOB}",
        "jobQueue": "queue",
        "jobDefinition": "nbbatch-x",
        "containerOverrides": {
            "environment": [{"name": "A", "value": "1"}, {"name": keys.ENV_JOB, "value": JOB}],
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
    request = submitted(cpu=0.25, gpu=2)
    wanted = request["containerOverrides"]["resourceRequirements"]

    assert {"type": "VCPU", "value": "0.25"} in wanted
    assert {"type": "GPU", "value": "2"} in wanted
    assert "timeout" not in request


def test_fields_of_flyte_and_of_batch_itself():
    """The priority takes effect, tags are always sent, dependencies are named by Batch's ids."""
    request = submitted(
        parameters={"model": "small"},
        scheduling_priority=7,
        share_identifier="research",
        propagate_tags=False,
        aws_batch_tags={"a": "1", "b": "1"},
        tags={"b": "2"},
        depends_on=("id-1", "id-2"),
    )

    assert request["parameters"] == {"model": "small"}
    assert request["schedulingPriorityOverride"] == 7
    assert request["shareIdentifier"] == "research"
    assert request["propagateTags"] is False
    assert request["tags"] == {"a": "1", "b": "2"}
    assert request["dependsOn"] == [{"jobId": "id-1"}, {"jobId": "id-2"}]


def test_temporary_files():
    """The job is told where the file system in memory is; its own variables come first."""

    def told(**changes):
        pairs = submitted(**changes)["containerOverrides"]["environment"]
        return {pair["name"]: pair["value"] for pair in pairs if pair["name"] != keys.ENV_JOB}

    at = {"tmpfs_path": "/fast"}

    assert told(use_tmpfs=True, **at) == {keys.ENV_TEMPDIR: "/fast", "TMPDIR": "/fast"}
    assert told(tmpfs_size=64, tmpfs_tempdir=False, **at) == {keys.ENV_TEMPDIR: "/fast"}
    assert told(use_tmpfs=True, environment={"TMPDIR": "/x"}, **at)["TMPDIR"] == "/x"
    assert told(**at) == {}


def test_job_of_another_definition():
    """Command, variables and resources are overridden; the command is short enough for that."""
    request = submitted(of=requests.Shape(), executable="python3")
    overrides = request["containerOverrides"]

    assert overrides["command"][:2] == ["python3", "-c"]
    assert len(json.dumps(overrides)) < 6500
    assert {"type": "VCPU", "value": "1"} in overrides["resourceRequirements"]


SHAPES = {
    "container": ({"containerProperties": {}}, requests.Shape()),
    "nodes": (
        {
            "nodeProperties": {
                "nodeRangeProperties": [{"targetNodes": "0:0"}, {"targetNodes": "1:"}]
            }
        },
        requests.Shape("multinode", "", ("0:0", "1:")),
    ),
    "pod": (
        {"eksProperties": {"podProperties": {"containers": [{"name": "main"}]}}},
        requests.Shape("pod", "main"),
    ),
    "task": (
        {
            "ecsProperties": {
                "taskProperties": [
                    {"containers": [{"name": "log"}, {"name": "main", "essential": True}]}
                ]
            }
        },
        requests.Shape("task", "main"),
    ),
}


@pytest.mark.parametrize(("definition", "shape"), SHAPES.values(), ids=SHAPES)
def test_shapes_of_definitions(definition, shape):
    """Each kind of definition is recognised, and its job tells the container what it must know."""
    assert requests.shape_of(definition) == shape
    queue = EKS if shape.kind == "pod" else EC2
    request = submitted(queue, of=shape, nodes=3 if shape.kind == "multinode" else 1)
    told = requests.shapes.overridden(request)

    assert len(told) == max(len(shape.ranges), 1)
    for container in told:
        assert container["command"][1] == "-c"
        pairs = container.get("environment") or container["env"]
        assert {"name": keys.ENV_JOB, "value": JOB} in pairs
    assert all(container.get("name", "") == shape.container for container in told)


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
    """More than 8,192 bytes of overrides are refused, and the largest variable is named."""
    variables = {"SMALL": "1", "LARGE": "x" * 8192}
    with pytest.raises(LimitError, match="8192 are allowed") as caught:
        submitted(environment=variables)
    asked = options(environment=variables)
    with pytest.raises(LimitError) as named:
        requests.submit_job(launch(asked, variables), EC2, "nbbatch-x")

    assert "option environment" in caught.value.hint
    assert "LARGE has 8192 characters" in named.value.hint


def test_definition_too_long():
    """More than 24 KiB of definition are refused here."""
    with pytest.raises(LimitError, match="24576 are allowed"):
        requests.job_definition(options(executable="x" * (24 << 10)), EC2)


def test_request_too_long():
    """More than 30 KiB of request are refused here."""
    with pytest.raises(LimitError, match="30720 are allowed") as caught:
        submitted(parameters={"a": "x" * (30 << 10)})

    assert "--parameters" in caught.value.hint


def test_too_many_dependencies():
    """Twenty jobs are allowed; one more is refused here."""
    assert len(submitted(depends_on=("id",) * 20)["dependsOn"]) == 20
    with pytest.raises(LimitError, match="21, and AWS Batch takes 20"):
        submitted(depends_on=("id",) * 21)


REFUSED = {"onExitCode": "95", "action": "EXIT"}
LAST = {"onReason": "*", "action": "EXIT"}


@pytest.mark.parametrize(
    ("retry_on", "queue", "rules"),
    [
        (None, EC2, [REFUSED]),
        ("any", EC2, [REFUSED]),
        ("any memory", EC2, [REFUSED, {"onReason": "OutOfMemory*", "action": "EXIT"}]),
        ("memory", EC2, [LAST]),
        ("spot", EC2, [REFUSED, {"onStatusReason": "Host EC2*", "action": "RETRY"}, LAST]),
        (
            "spot",
            FARGATE,
            [
                REFUSED,
                {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"},
                LAST,
            ],
        ),
        (
            "memory 137",
            EKS,
            [
                REFUSED,
                {"onReason": "OOMKilled*", "action": "EXIT"},
                {"onExitCode": "137", "action": "RETRY"},
                LAST,
            ],
        ),
        (
            "error image 42",
            EC2,
            [
                REFUSED,
                {"onExitCode": "1", "action": "RETRY"},
                {"onReason": "CannotPull*", "action": "RETRY"},
                {"onExitCode": "42", "action": "RETRY"},
                LAST,
            ],
        ),
    ],
)
def test_retries(retry_on, queue, rules):
    """What the worker refuses always ends; out of memory is the client's to try again."""
    strategy = submitted(queue, retries=2, retry_on=retry_on)["retryStrategy"]

    assert strategy == {"attempts": 3, "evaluateOnExit": rules}
    assert submitted(queue, retry_on=retry_on)["retryStrategy"] == {"attempts": 1}


def test_too_many_rules():
    """Batch takes five rules; two are taken."""
    with pytest.raises(OptionError, match="6 of the 5 rules"):
        submitted(retries=1, retry_on="spot 1 2 3")


def test_extra_is_merged_last():
    """Objects are merged, lists replaced; SubmitJob first, and the definition is another then."""
    extra = {
        "timeout": {"attemptDurationSeconds": 61},
        "containerOverrides": {"resourceRequirements": []},
        "containerProperties": {"linuxParameters": {"initProcessEnabled": True}},
        "tags": {"b": "2"},
    }
    request = submitted(timeout=900, tags={"a": "1"}, extra=extra)
    linux = container(shared_memory=64, extra=extra)["linuxParameters"]

    assert request["timeout"] == {"attemptDurationSeconds": 61}
    assert request["containerOverrides"]["resourceRequirements"] == []
    assert request["containerOverrides"]["environment"]
    assert request["tags"] == {"a": "1", "b": "2"}
    assert "containerProperties" not in request
    assert linux == {"sharedMemorySize": 64, "initProcessEnabled": True}


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"schedulingPriorityOverrid": 1}, "did you mean schedulingPriorityOverride"),
        ({"zzz": 1}, "one of arrayProperties"),
        ({"jobName": "x"}, "--name"),
        ({"jobQueue": "x"}, "--queue"),
        ({"timeout": 60}, "API_SubmitJob.html"),
        ({"containerProperties": {"imag": "x"}}, "API_RegisterJobDefinition.html"),
        ({"containerOverrides": {"environment": []}}, "--environment"),
    ],
)
def test_extra_that_can_not_be(extra, said):
    """A field that Batch does not have, or that would take something away, is refused."""
    with pytest.raises(OptionError) as caught:
        defined(extra=extra)
        submitted(extra=extra)

    assert "extra" in caught.value.what
    assert said in caught.value.hint


def test_no_source_of_ours_refers_to_parameters():
    """Batch replaces ``Ref::name`` in a command; there is none in ours."""
    text = " ".join(bootstrap_command("python"))

    assert "Ref::" not in text
