"""Why a job waits in RUNNABLE: a pure function of what AWS says about it and its queue.

https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from nbbatch.backends.aws.environments import platform
from nbbatch.backends.aws.fitting import Need, misfit, needed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbatch.backends.aws.fitting import InstanceType, Misfit

#: Jobs that a snapshot of a queue shows.
_FRONT = 100
#: Seconds after which an instance should have come, or Batch should have said why not.
_LONG = 900

#: What Batch says of a job that blocks its queue, by the code that begins its ``statusReason``.
_BLOCKED: dict[str, tuple[str, str]] = {
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": (
        "AWS has no such instance free",
        "it starts when one is; or --queue one with more instance types, zones or On-Demand",
    ),
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": (
        "it asks for more vCPUs than any compute environment of its queue may have (maxvCpus)",
        "ask for less (--cpu), or --queue a larger one",
    ),
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": (
        "no instance of its queue has the vCPUs, memory and GPUs that it asks for",
        "ask for less (--cpu, --memory, --gpu), or --queue one with larger instances",
    ),
    "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS": (
        "AWS Batch's own service role lacks a permission",
        "whoever runs the account should give the compute environment the service-linked role",
    ),
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED": (
        "its queue's instance types can't be started in that zone, or with that launch template",
        "whoever runs the account should change the compute environment; or --queue another",
    ),
    "ACTION_REQUIRED": (
        "the compute environments of its queue are invalid",
        "nbbatch doctor says why; or --queue another",
    ),
    "UNDETERMINED": (
        "AWS Batch says that it blocks its queue, and not why",
        "nbbatch doctor looks at the queue and its compute environments",
    ),
}


class Wait(NamedTuple):
    """What is to be known about a job that waits; `since` in seconds since the epoch."""

    id: str
    arn: str
    queue: str
    need: Need
    reason: str = ""
    since: float = 0.0


def wait_of(job: Mapping[str, Any]) -> Wait:
    """Read a RUNNABLE job's entry in DescribeJobs."""
    return Wait(
        id=job["jobId"],
        arn=job.get("jobArn", ""),
        queue=job["jobQueue"],
        need=needed(job),
        reason=job.get("statusReason") or "",
        since=job.get("createdAt", 0) / 1000,
    )


@dataclass(frozen=True)
class Place:
    """A queue as it is now; what could not be found out is left as it is here.

    Attributes
    ----------
    queue
        Its entry in DescribeJobQueues.
    environments
        Theirs in DescribeComputeEnvironments, in the queue's order.
    front
        The ARNs of its first 100 RUNNABLE jobs, the next one first; None if not known.
    types
        The largest instances of each environment, by its ARN.
    """

    queue: Mapping[str, Any] = field(default_factory=dict)
    environments: Sequence[Mapping[str, Any]] = ()
    front: Sequence[str] | None = None
    types: Mapping[str, Sequence[InstanceType]] = field(default_factory=dict)


def explain(wait: Wait, place: Place, now: float) -> str:
    """Say in a sentence or two why a job waits; ``""`` where nothing is known."""
    stuck = _invalid(place.queue) or _unplaceable(wait.need, place) or _blocked(wait.reason)
    if stuck:
        return stuck
    said = [_position(wait.arn, place), _coming(wait.need, place, now - wait.since)]
    return "; ".join(filter(None, said))


def _invalid(queue: Mapping[str, Any]) -> str:
    if queue.get("status") != "INVALID":
        return ""
    said = queue.get("statusReason") or "no reason given"
    return f"its queue {queue['jobQueueName']} is INVALID: {said}. Next: --queue another"


def _misfits(need: Need, place: Place) -> list[Misfit | None]:
    return [
        misfit(need, environment, place.types.get(environment["computeEnvironmentArn"]))
        for environment in place.environments
    ]


def _unplaceable(need: Need, place: Place) -> str:
    found = _misfits(need, place)
    if not found or None in found:
        return ""
    misfits = list(dict.fromkeys(one for one in found if one))
    return f"it can't start: {'; '.join(one.cause for one in misfits)}. Next: {misfits[0].hint}"


def _blocked(reason: str) -> str:
    for code, (cause, hint) in _BLOCKED.items():
        if reason.startswith(code):
            # Behind the code may stand which instance type it is.
            _, _, kind = reason.partition("for instance type ")
            which = f" ({kind.strip('[]. ')})" if kind else ""
            return f"{cause}{which}. Next: {hint}"
    return ""


def _position(arn: str, place: Place) -> str:
    name = place.queue.get("jobQueueName") or "its queue"
    if place.front is None:
        return ""
    if arn not in place.front:
        full = len(place.front) >= _FRONT
        return f"at least {_FRONT} jobs are before it in {name}" if full else ""
    before = list(place.front).index(arn)
    if not before:
        return f"it is the next one in {name}"
    return f"{before} {'job is' if before == 1 else 'jobs are'} before it in {name}"


def _coming(need: Need, place: Place, waited: float) -> str:
    """Say what has to happen before it starts."""
    fits = zip(place.environments, _misfits(need, place), strict=True)
    usable = [environment for environment, problem in fits if problem is None]
    if not usable:
        return ""
    if all(_is_full(environment, need) for environment in usable):
        full = " and ".join(_fullness(environment) for environment in usable[:2])
        return f"{full}: it starts when others have ended"
    if waited > _LONG:
        return _late(usable[0])
    return _START.get(platform(usable[0]), "")


def _is_full(environment: Mapping[str, Any], need: Need) -> bool:
    resources = environment.get("computeResources") or {}
    now, most = resources.get("desiredvCpus", 0), resources.get("maxvCpus", 0)
    return bool(now and most) and now + need.cpu * need.nodes > most


def _fullness(environment: Mapping[str, Any]) -> str:
    resources = environment["computeResources"]
    return (
        f"{environment['computeEnvironmentName']} uses {resources['desiredvCpus']} of at most "
        f"{resources['maxvCpus']} vCPUs"
    )


_START = {
    "EC2": "an instance for it is being started, which takes a few minutes",
    "SPOT": "a Spot instance for it is being started, which takes minutes where there is one free",
    "EKS": "a node for it is being started, which takes a few minutes",
    "FARGATE": "Fargate takes about half a minute to start",
    "FARGATE_SPOT": "Fargate takes about half a minute to start, where it has spare capacity",
}


def _late(environment: Mapping[str, Any]) -> str:
    name = environment["computeEnvironmentName"]
    if platform(environment).startswith("FARGATE"):
        return f"that is long for Fargate: nbbatch doctor looks at {name}, and at its quota"
    return (
        f"that is long: where instances of {name} run, they may lack their role or a way to ECS "
        "(public address, NAT gateway, VPC endpoints); where none run, look at EC2's quotas"
    )
