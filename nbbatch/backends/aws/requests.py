"""A launch as the exact requests to Batch: pure functions of plain values.

What does not vary from job to job is in the job definition, whose name is the hash of its
content: it can be used without looking whether it is there.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from typing import TYPE_CHECKING, Any

from nbbatch.errors import LimitError
from nbbatch.wire.spec import EXIT_REFUSED
from nbbatch.worker.boot.bootstrap import bootstrap_command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbatch.backends.aws.queues import Queue
    from nbbatch.backends.base import Launch
    from nbbatch.options import Options

#: https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html, and ECS's own limit
#: for a container's overrides.
DEFINITION_LIMIT = 24 << 10
SUBMIT_LIMIT = 30 << 10
OVERRIDES_LIMIT = 8192
_NAME_LIMIT = 128

Request = dict[str, Any]


def default_image() -> str:
    """Return the image whose Python is the kernel's."""
    return "python:{}.{}".format(*sys.version_info)


def job_definition(options: Options, queue: Queue) -> Request:
    """Build the RegisterJobDefinition request."""
    content: Request = {
        "type": "container",
        "platformCapabilities": ["FARGATE" if queue.fargate else "EC2"],
        "containerProperties": _container(options, queue),
    }
    name = "nbbatch-" + hashlib.sha256(_compact(content)).hexdigest()[:32]
    request = {"jobDefinitionName": name, **content}
    _check_size("the job definition", _compact(request), DEFINITION_LIMIT, "--image, --executable")
    return request


def submit_job(launch: Launch, queue: Queue, definition: str) -> Request:
    """Build the SubmitJob request.

    Raises
    ------
    LimitError
        What the container is told is longer than Batch takes.
    """
    options = launch.options
    overrides = {
        "environment": _pairs(launch.environment),
        "resourceRequirements": _resources(options.cpu, options.memory, options.gpu),
    }
    hint = "give fewer or shorter environment variables"
    _check_size("the job's environment", _compact(overrides), OVERRIDES_LIMIT, hint)
    request: Request = {
        "jobName": job_name(launch.name, launch.job_id),
        "jobQueue": queue.name,
        "jobDefinition": definition,
        "containerOverrides": overrides,
        "retryStrategy": _retries(options.retries),
    }
    if options.timeout is not None:
        request["timeout"] = {"attemptDurationSeconds": options.timeout}
    _check_size("the job", _compact(request), SUBMIT_LIMIT, hint)
    return request


def _retries(further: int) -> Request:
    if not further:
        return {"attempts": 1}
    # What matches no condition is tried again:
    # https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
    refused = {"onExitCode": str(EXIT_REFUSED), "action": "EXIT"}
    return {"attempts": further + 1, "evaluateOnExit": [refused]}


def job_name(name: str, job_id: str) -> str:
    """Return a name that no other job has: a job can be found by it."""
    clean = re.sub(r"[^A-Za-z0-9_-]", "-", name).lstrip("_-")
    return f"{clean[: _NAME_LIMIT - len(job_id) - 1] or 'job'}-{job_id}"


def _container(options: Options, queue: Queue) -> Request:
    content: Request = {
        "image": options.image or default_image(),
        "command": bootstrap_command(options.executable or "python"),
        # Batch wants some here; those of the job take their place.
        "resourceRequirements": _resources(1, 2048, 0),
    }
    if options.iam_role:
        content["jobRoleArn"] = options.iam_role
    if queue.fargate:
        content["executionRoleArn"] = options.execution_role or ""
        content["networkConfiguration"] = {"assignPublicIp": "ENABLED"}
    elif options.shared_memory:
        content["linuxParameters"] = {"sharedMemorySize": options.shared_memory}
    return content


def _resources(cpu: float, memory: int, gpu: int) -> list[dict[str, str]]:
    wanted = {"VCPU": f"{cpu:g}", "MEMORY": str(memory), **({"GPU": str(gpu)} if gpu else {})}
    return [{"type": kind, "value": value} for kind, value in wanted.items()]


def _pairs(environment: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(environment.items())]


def _compact(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _check_size(what: str, data: bytes, limit: int, hint: str) -> None:
    if len(data) > limit:
        raise LimitError(
            f"{what} is too long for AWS Batch",
            f"it takes {len(data)} bytes, and {limit} are allowed",
            hint,
        )
