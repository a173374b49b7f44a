"""SubmitJob: what varies from job to job.

https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbbatch.backends.aws.requests import extra, shapes
from nbbatch.backends.aws.requests.limits import (
    SUBMIT_LIMIT,
    Request,
    check_overrides,
    check_size,
)
from nbbatch.backends.aws.requests.linux import tmpfs_size
from nbbatch.backends.aws.requests.retries import retry_strategy
from nbbatch.errors import LimitError
from nbbatch.wire import keys
from nbbatch.worker.boot.bootstrap import brief_command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbatch.backends.aws.queues import Queue
    from nbbatch.backends.aws.requests.shapes import Shape
    from nbbatch.backends.base import Launch
    from nbbatch.options import Options

_NAME_LIMIT = 128
_MOST_DEPENDENCIES = 20
#: https://docs.aws.amazon.com/batch/latest/APIReference/API_JobTimeout.html
_LEAST_TIMEOUT = 60


def submit_job(
    launch: Launch, queue: Queue, definition: str, existing: Shape | None = None
) -> Request:
    """Build the request.

    Parameters
    ----------
    definition
        The name, or another way to name it, of the job definition.
    existing
        Its shape where it is not ours: the command is then overridden too.

    Raises
    ------
    LimitError
        What the container is told, or the whole request, is longer than Batch takes.
    OptionError
        `extra` has what Batch does not know, or takes away what the worker needs.
    """
    options = launch.options
    shape = existing or shapes.own_shape(options, queue)
    command = brief_command(options.executable or "python") if existing else []
    environment = {**_of_tmpfs(options), **launch.environment}
    request: Request = {
        "jobName": job_name(launch.name, launch.unique),
        "jobQueue": queue.name,
        "jobDefinition": definition,
        **shapes.overrides(shape, options, environment, command),
        "retryStrategy": retry_strategy(options, queue),
        **_given(launch, queue),
    }
    if launch.children > 1:
        request["arrayProperties"] = {"size": launch.children}
    if launch.depends_on:
        request["dependsOn"] = _dependencies(launch.depends_on)
    request = extra.merged(request, options, extra.SUBMIT)
    extra.validate(request, options, extra.SUBMIT)
    _check(request, options)
    return request


def job_name(name: str, job_id: str) -> str:
    """Return a name that no other job has: a job can be found by it."""
    clean = re.sub(r"[^A-Za-z0-9_-]", "-", name).lstrip("_-")
    return f"{clean[: _NAME_LIMIT - len(job_id) - 1] or 'job'}-{job_id}"


def tags(options: Options) -> dict[str, str]:
    """Return the job's tags; Batch's own name for the option wins."""
    return {**(options.aws_batch_tags or {}), **(options.tags or {})}


def _given(launch: Launch, queue: Queue) -> Request:
    options, limit = launch.options, launch.time_limit
    # The worker itself ends the code in time: this is for the case that it can't.
    timeout = {"attemptDurationSeconds": max(limit, _LEAST_TIMEOUT)} if limit else None
    found: Request = {
        "timeout": timeout,
        "shareIdentifier": options.share_identifier,
        "schedulingPriorityOverride": options.scheduling_priority,
        "parameters": dict(options.parameters or {}) or None,
        # A pod gets none, and Batch wants nothing said about it.
        "propagateTags": None if queue.eks else options.propagate_tags,
        "tags": tags(options) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _dependencies(ids: tuple[str, ...]) -> list[dict[str, str]]:
    if len(ids) > _MOST_DEPENDENCIES:
        raise LimitError(
            "the job depends on too many others",
            f"they are {len(ids)}, and AWS Batch takes {_MOST_DEPENDENCIES}",
            "of jobs that follow each other the last is enough, and an array (f.map) is one job; "
            "those that have succeeded don't count: job.wait() for some first",
        )
    return [{"jobId": id_} for id_ in ids]


def _of_tmpfs(options: Options) -> Mapping[str, str]:
    if tmpfs_size(options) is None:
        return {}
    found = {keys.ENV_TEMPDIR: options.tmpfs_path}
    return {**found, "TMPDIR": options.tmpfs_path} if options.tmpfs_tempdir else found


def _check(request: Request, options: Options) -> None:
    for told in shapes.overridden(request):
        if options.extra:
            extra.check_environment(told.get("environment", told.get("env", [])))
        check_overrides(told, options.environment or {})
    hint = "shorten what is long: --environment, --tags, --parameters, --extra"
    check_size("the request for the job", request, SUBMIT_LIMIT, hint)
