"""What a queue's compute environments tell about its jobs: pure functions of plain values.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeEnvironmentDetail.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What a queue without compute environments of its own says, in their words.
_QUEUE_TYPES = {"ECS": "EC2", "ECS_FARGATE": "FARGATE"}
#: https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
_ARM = re.compile(r"default_arm64|a1|[a-z]+[0-9]+g[a-z]*(-[0-9a-z]+)?")


class Facts(NamedTuple):
    """See `nbbatch.backends.aws.queues.Queue`."""

    platforms: tuple[str, ...]
    vcpus: int | None
    processors: tuple[str, ...]


def facts(queue: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> Facts:
    """Return what holds for a queue.

    Parameters
    ----------
    queue, found
        Its entry in DescribeJobQueues; its environments, in any order.
    """
    used = _used(queue, found)
    if not used:
        kind = queue.get("jobQueueType")
        return Facts((_QUEUE_TYPES.get(kind or "", kind or "no compute environment"),), None, ())
    sizes = [_vcpus(environment) for environment in used]
    processors = [processor(environment) for environment in used]
    return Facts(
        tuple(platform(environment) for environment in used),
        None if None in sizes else max(size for size in sizes if size is not None),
        () if "" in processors else tuple(dict.fromkeys(processors)),
    )


def _used(queue: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those in use, in the queue's order; all of them where none is enabled."""
    # A queue may name them by their ARNs or by their names.
    named = {item.get("computeEnvironmentName"): item for item in found}
    named.update({item.get("computeEnvironmentArn"): item for item in found})
    order = sorted(queue.get("computeEnvironmentOrder", ()), key=lambda item: item["order"])
    known = [named[i["computeEnvironment"]] for i in order if i["computeEnvironment"] in named]
    enabled = [item for item in known if item.get("state", "ENABLED") == "ENABLED"]
    return enabled or known


def platform(environment: Mapping[str, Any]) -> str:
    """Return where its jobs run: EC2, SPOT, FARGATE, FARGATE_SPOT, EKS, ..."""
    if environment.get("containerOrchestrationType") == "EKS":
        return "EKS"
    # An unmanaged one has no resources of its own to tell; it is ECS on EC2.
    return str((environment.get("computeResources") or {}).get("type", "EC2"))


def _vcpus(environment: Mapping[str, Any]) -> int | None:
    resources = environment.get("computeResources") or {}
    size = resources.get("maxvCpus", environment.get("unmanagedvCpus"))
    return int(size) if size else None


def processor(environment: Mapping[str, Any]) -> str:
    """Return X86_64 or ARM64, ``""`` where its instances don't tell."""
    types = (environment.get("computeResources") or {}).get("instanceTypes") or ()
    if not types:
        return ""
    # An environment has one kind of them, or Batch does not create it.
    return "ARM64" if all(_ARM.fullmatch(name.split(".")[0]) for name in types) else "X86_64"
