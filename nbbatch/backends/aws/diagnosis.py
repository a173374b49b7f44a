"""Why a job ended without an outcome, read from what Batch says about it.

Batch has no codes for this: the texts are those of ECS's agent and of Batch itself.
https://docs.aws.amazon.com/batch/latest/userguide/troubleshooting.html
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from nbbatch.facts import Loss

#: Begins the reason that we give when we stop a job.
OURS = "nbbatch:"

_PYTHON_HINT = "the image has no such interpreter: --executable python3, or another --image"
_KILLED = 137


class Diagnosis(NamedTuple):
    """A loss, and what to do about it where Batch's words don't say."""

    loss: Loss
    hint: str = ""


class _Sign(NamedTuple):
    pattern: re.Pattern[str]
    diagnosis: Diagnosis


def _sign(pattern: str, loss: Loss, hint: str = "") -> _Sign:
    return _Sign(re.compile(pattern, re.IGNORECASE), Diagnosis(loss, hint))


#: The first that matches wins: what ended the job, before what it looked like from inside.
_SIGNS = (
    _sign(r"duration exceeded timeout|exceeded.*\btimeout\b", Loss.TIMEOUT),
    _sign(
        r"Host EC2 .*terminated|spot (task|instance) was (interrupted|reclaimed|terminated)"
        r"|SpotInterruption|spot interruption",
        Loss.SPOT,
    ),
    _sign(r"executable file not found|no such file or directory", Loss.IMAGE, _PYTHON_HINT),
    _sign(r"exec format error", Loss.IMAGE, "the image is for another processor: --image"),
    _sign(
        r"CannotPull\w*|manifest (for .* )?(not found|unknown)|pull access denied"
        r"|invalid reference|ErrImagePull|ImagePullBackOff|InvalidImageName",
        Loss.IMAGE,
        "check the name of the image, and whether that network reaches its registry: --image",
    ),
    _sign(r"OutOfMemory|out of memory|OOMKilled|memory usage", Loss.MEMORY),
    _sign(
        r"unable to assume the role|role .*(not valid|invalid|does not exist)",
        Loss.UNKNOWN,
        "check the role and whom it trusts (ecs-tasks.amazonaws.com): --iam-role",
    ),
)


def diagnose(job: dict[str, Any]) -> Diagnosis:
    """Tell why a FAILED job failed, from its entry in DescribeJobs."""
    if _cancelled(job):
        return Diagnosis(Loss.CANCELLED)
    said = " ".join(reasons(job))
    for sign in _SIGNS:
        if sign.pattern.search(said):
            return sign.diagnosis
    code = exit_code(job)
    if code is None:
        return Diagnosis(Loss.UNKNOWN)
    if code == _KILLED and "memory" in said.lower():
        return Diagnosis(Loss.MEMORY)
    return Diagnosis(Loss.EXIT)


def reasons(job: dict[str, Any]) -> list[str]:
    """Return what Batch and the container's agent say, each once."""
    last = last_attempt(job)
    said = (
        job.get("statusReason"),
        last.get("statusReason"),
        container_of(job).get("reason"),
        container_of(last).get("reason"),
    )
    return list(dict.fromkeys(text.strip() for text in said if text and text.strip()))


def exit_code(job: dict[str, Any]) -> int | None:
    """Return the exit code of the last container, None if there was none."""
    found = container_of(job).get("exitCode", container_of(last_attempt(job)).get("exitCode"))
    return None if found is None else int(found)


def last_attempt(job: dict[str, Any]) -> dict[str, Any]:
    """Return the last attempt that has begun, empty where none has."""
    attempts = job.get("attempts") or job.get("eksAttempts") or [{}]
    found: dict[str, Any] = attempts[-1]
    return found


def container_of(part: dict[str, Any]) -> dict[str, Any]:
    """Return the container of a job or of an attempt, on ECS or in a pod; empty for none.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_EksAttemptContainerDetail.html
    """
    pods = part.get("eksProperties", {}).get("podProperties", {}).get("containers")
    found: dict[str, Any] = part.get("container") or next(
        iter(pods or part.get("containers") or ()), {}
    )
    return found


def _cancelled(job: dict[str, Any]) -> bool:
    if str(job.get("statusReason", "")).startswith(OURS):
        return True
    return bool(job.get("isCancelled") or job.get("isTerminated"))
