"""Of which kind a job definition is, and what a job overrides where.

https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.requests.container import resources
from nbbatch.backends.aws.requests.definition import ALL_NODES
from nbbatch.backends.aws.requests.pods import CONTAINER, quantities

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbatch.backends.aws.queues import Queue
    from nbbatch.backends.aws.requests.limits import Request
    from nbbatch.options import Options

#: Kinds of definitions.
PLAIN, NODES, POD, TASK = "container", "multinode", "pod", "task"


@dataclass(frozen=True)
class Shape:
    """What must be known about a job definition to override something in it.

    Attributes
    ----------
    kind
        `PLAIN`, `NODES`, `POD`, or `TASK` (``ecsProperties``).
    container
        The container that runs the job, where there are several or it must be named.
    ranges
        Its ranges of nodes.
    """

    kind: str = PLAIN
    container: str = ""
    ranges: tuple[str, ...] = ()


def own_shape(options: Options, queue: Queue) -> Shape:
    """Return the shape of a definition of ours."""
    if queue.eks:
        return Shape(POD, CONTAINER)
    return Shape(NODES, ranges=(ALL_NODES,)) if options.nodes > 1 else Shape()


def shape_of(definition: Mapping[str, Any]) -> Shape:
    """Return the shape of a definition as DescribeJobDefinitions shows it."""
    nodes = definition.get("nodeProperties")
    if nodes:
        return Shape(NODES, "", tuple(r["targetNodes"] for r in nodes["nodeRangeProperties"]))
    pods = definition.get("eksProperties", {}).get("podProperties", {}).get("containers")
    if pods:
        return Shape(POD, pods[0].get("name", "Default"))
    tasks = definition.get("ecsProperties", {}).get("taskProperties")
    if tasks:
        containers = tasks[0]["containers"]
        main = next((c for c in containers if c.get("essential")), containers[0])
        return Shape(TASK, main.get("name", ""))
    return Shape()


def overrides(
    shape: Shape, options: Options, environment: Mapping[str, str], command: list[str]
) -> Request:
    """Build the fields of SubmitJob that override a definition.

    Parameters
    ----------
    command
        Empty where the definition has it.
    """
    own: Request = {"command": command} if command else {}
    wanted = (options.cpu, options.memory, options.gpu)
    if shape.kind == POD:
        pod: Request = {"name": shape.container, "env": _pairs(environment)}
        pod["resources"] = quantities(*wanted)
        if command and options.image:
            pod["image"] = options.image
        return {"eksPropertiesOverride": {"podProperties": {"containers": [{**pod, **own}]}}}
    own.update(environment=_pairs(environment), resourceRequirements=resources(*wanted))
    if shape.kind == TASK:
        named = {"name": shape.container, **own} if shape.container else own
        return {"ecsPropertiesOverride": {"taskProperties": [{"containers": [named]}]}}
    if shape.kind == NODES:
        each = [{"targetNodes": nodes, "containerOverrides": own} for nodes in shape.ranges]
        return {"nodeOverrides": {"numNodes": options.nodes, "nodePropertyOverrides": each}}
    return {"containerOverrides": own}


def overridden(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what each container of a request is told: one, or one for each range of nodes."""
    pods = request.get("eksPropertiesOverride", {}).get("podProperties", {}).get("containers", ())
    tasks = request.get("ecsPropertiesOverride", {}).get("taskProperties", ())
    nodes = request.get("nodeOverrides", {}).get("nodePropertyOverrides", ())
    found = [*pods, *(c for task in tasks for c in task.get("containers", ()))]
    found += [item.get("containerOverrides", {}) for item in nodes]
    return found or [request.get("containerOverrides", {})]


def _pairs(environment: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(environment.items())]
