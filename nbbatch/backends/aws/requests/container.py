"""The container of a job definition, on EC2 and on Fargate.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.requests.images import default_image
from nbbatch.backends.aws.requests.linux import linux_parameters
from nbbatch.backends.aws.requests.secrets import secrets
from nbbatch.backends.aws.requests.storage import mount_points, mounts, volumes
from nbbatch.worker.boot.bootstrap import bootstrap_command

if TYPE_CHECKING:
    from nbbatch.backends.aws.queues import Queue
    from nbbatch.backends.aws.requests.limits import Request
    from nbbatch.options import Options

#: Batch wants some in a definition, and Fargate a pair that it has; those of the job take their
#: place.
PLACEHOLDER = (1.0, 4096, 0)


def container(options: Options, queue: Queue) -> Request:
    """Build ``containerProperties``: all but what varies from job to job."""
    mounted = mounts(options)
    found: Request = {
        "image": options.image or default_image(options.python),
        "command": bootstrap_command(options.executable or "python"),
        "jobRoleArn": options.iam_role,
        "resourceRequirements": resources(*PLACEHOLDER),
        "privileged": options.privileged or None,
        "user": options.user,
        "readonlyRootFilesystem": options.readonly_root,
        "ulimits": _ulimits(options),
        "linuxParameters": linux_parameters(options) or None,
        "logConfiguration": log_configuration(options) or None,
        "secrets": secrets(options, queue) or None,
        "volumes": volumes(mounted) or None,
        "mountPoints": mount_points(mounted) or None,
    }
    found.update(_fargate(options) if queue.fargate else _ec2(options))
    return {name: value for name, value in found.items() if value is not None}


def resources(cpu: float, memory: int, gpu: int) -> list[dict[str, str]]:
    """Build ``resourceRequirements``; `memory` in MiB."""
    wanted = {"VCPU": f"{cpu:g}", "MEMORY": str(memory), **({"GPU": str(gpu)} if gpu else {})}
    return [{"type": kind, "value": value} for kind, value in wanted.items()]


def log_configuration(options: Options) -> Request:
    """Build ``logConfiguration``; empty where nothing is said about it."""
    if not (options.log_driver or options.log_options):
        return {}
    # Options alone are those of the driver that Batch has by default.
    found: Request = {"logDriver": options.log_driver or "awslogs"}
    return {**found, "options": dict(options.log_options)} if options.log_options else found


def _ec2(options: Options) -> Request:
    # The instance pulls the image and writes the log; only secrets are read with that role.
    return {"executionRoleArn": options.execution_role if options.secrets else None}


def _fargate(options: Options) -> Request:
    public = options.assign_public_ip is not False
    return {
        "executionRoleArn": options.execution_role,
        "networkConfiguration": {"assignPublicIp": "ENABLED" if public else "DISABLED"},
        "ephemeralStorage": _when(options.ephemeral_storage, "sizeInGiB"),
        "fargatePlatformConfiguration": _when(options.platform_version, "platformVersion"),
        "runtimePlatform": options.platform
        and {"operatingSystemFamily": "LINUX", "cpuArchitecture": options.platform},
    }


def _when(value: Any, name: str) -> Request | None:
    return None if value is None else {name: value}


def _ulimits(options: Options) -> list[dict[str, Any]] | None:
    return [
        {"name": name, "softLimit": soft, "hardLimit": hard}
        for name, soft, hard in options.ulimits or ()
    ] or None
