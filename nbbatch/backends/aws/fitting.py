"""Whether a request can ever be placed in a compute environment: pure functions of plain values.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeEnvironmentDetail.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nbbatch.backends.aws import families
from nbbatch.backends.aws.environments import platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbatch.options import Options

_OTHER = "--queue another"
_UPDATE = "aws batch update-compute-environment --compute-environment"


class Need(NamedTuple):
    """What one container asks for; `memory` in MiB, `neuron` counts Inferentia and Trainium."""

    cpu: float = 1
    memory: int = 0
    gpu: int = 0
    neuron: int = 0
    nodes: int = 1


class InstanceType(NamedTuple):
    """What one type of instance has; `memory` in MiB."""

    name: str
    cpu: int
    memory: int
    gpu: int = 0
    neuron: int = 0


class Misfit(NamedTuple):
    """Why a request can't be placed, and what to type."""

    cause: str
    hint: str


def need_of(options: Options) -> Need:
    """Return what a job with these options asks for."""
    neuron = (options.inferentia or 0) + (options.trainium or 0)
    return Need(options.cpu, options.memory, options.gpu, neuron, options.nodes)


def needed(job: Mapping[str, Any]) -> Need:
    """Return what a job asks for, from its entry in DescribeJobs."""
    nodes = job.get("nodeProperties")
    if nodes:
        ranges = nodes.get("nodeRangeProperties", ())
        each = [_container(item.get("container", {})) for item in ranges] or [Need()]
        largest = Need(*(max(figures) for figures in zip(*each, strict=True)))
        return largest._replace(nodes=nodes.get("numNodes", 1))
    pods = job.get("eksProperties", {}).get("podProperties", {}).get("containers")
    return _pod(pods[0]) if pods else _container(job.get("container", {}))


def _container(container: Mapping[str, Any]) -> Need:
    asked = {item["type"]: item["value"] for item in container.get("resourceRequirements", ())}
    return Need(
        float(asked.get("VCPU", container.get("vcpus", 1))),
        int(asked.get("MEMORY", container.get("memory", 0))),
        int(asked.get("GPU", 0)),
    )


def _pod(container: Mapping[str, Any]) -> Need:
    # Kubernetes' own words; those that Batch takes are "4", "0.5", "2048Mi".
    resources = container.get("resources", {})
    asked = {**resources.get("requests", {}), **resources.get("limits", {})}
    memory = str(asked.get("memory", "0")).removesuffix("Mi")
    return Need(
        float(asked.get("cpu", 1)),
        int(memory) if memory.isdigit() else 0,
        int(asked.get("nvidia.com/gpu", 0)),
    )


def misfit(
    need: Need, environment: Mapping[str, Any], types: Sequence[InstanceType] | None
) -> Misfit | None:
    """Tell why a request can't be placed in an environment; None where it can, or may.

    Parameters
    ----------
    environment
        An entry of DescribeComputeEnvironments.
    types
        The largest instances that it may start; None where they are not known.
    """
    closed = shut(environment)
    if closed:
        return closed
    resources = environment.get("computeResources") or {}
    name, most = environment["computeEnvironmentName"], resources.get("maxvCpus")
    wanted = need.cpu * need.nodes
    if most is not None and wanted > most:
        return Misfit(
            f"it asks for {amount('cpu', wanted)}, and the compute environment {name} has at most "
            f"{most}",
            f"ask for less (--cpu), or: {_UPDATE} {name} "
            f"--compute-resources maxvCpus={int(wanted)}",
        )
    if platform(environment).startswith("FARGATE"):
        return _on_fargate(need, name)
    if types:
        return _unplaced(need, name, types)
    names = families.named(environment)
    if need.gpu and names and not families.have_gpus(names):
        return _none(amount("gpu", need.gpu), name)
    return None


def shut(environment: Mapping[str, Any]) -> Misfit | None:
    """Tell why an environment places no job at all."""
    name = environment["computeEnvironmentName"]
    said = environment.get("statusReason") or "no reason given"
    if environment.get("state") == "DISABLED":
        hint = f"{_UPDATE} {name} --state ENABLED, or {_OTHER}"
        return Misfit(f"the compute environment {name} is DISABLED", hint)
    if environment.get("status") in ("INVALID", "DELETING", "DELETED"):
        return Misfit(
            f"the compute environment {name} is {environment['status']}: {said}",
            f"have it corrected (AWS Batch's guide: invalid compute environment), or {_OTHER}",
        )
    return None


def _on_fargate(need: Need, name: str) -> Misfit | None:
    if not need.gpu and not need.neuron:
        return None
    asked = amount("gpu", need.gpu) if need.gpu else amount("neuron", need.neuron)
    return Misfit(
        f"it asks for {asked}, and the compute environment {name} is Fargate, which has none",
        "--queue one with GPU instances" if need.gpu else _OTHER,
    )


#: Field of `Need` and `InstanceType`, and the option that asks for it.
_FIGURES = {
    "gpu": "--gpu",
    "neuron": "--trainium or --inferentia",
    "cpu": "--cpu",
    "memory": "--memory",
}


def _unplaced(need: Need, name: str, types: Sequence[InstanceType]) -> Misfit | None:
    if any(_holds(kind, need) for kind in types):
        return None
    for field, option in _FIGURES.items():
        asked, most = getattr(need, field), max(getattr(kind, field) for kind in types)
        if asked > most or (field == "memory" and asked == most):
            return _too_much(field, asked, most, name, option)
    return Misfit(
        f"no single instance of the compute environment {name} has all that it asks for: "
        + ", ".join(amount(field, getattr(need, field)) for field in ("cpu", "memory", "gpu")),
        f"ask for less of one of them, or {_OTHER}",
    )


def _too_much(field: str, asked: float, most: float, name: str, option: str) -> Misfit:
    if not most:
        return _none(amount(field, asked), name)
    has = f"the largest instance of the compute environment {name} has {amount(field, most)}"
    if field == "memory":
        has += ", some of which the system keeps for itself"
    cause = f"it asks for {amount(field, asked)}, and {has}"
    return Misfit(cause, f"ask for less ({option}), or {_OTHER}")


def _none(asked: str, name: str) -> Misfit:
    return Misfit(
        f"it asks for {asked}, and no instance of the compute environment {name} has any",
        "--queue one that has them",
    )


def amount(field: str, number: float) -> str:
    """Say how much of something is asked for or there; `field` is one of `Need`'s."""
    words = {"gpu": "GPU", "neuron": "Neuron device", "cpu": "vCPU", "memory": "MiB of memory"}
    plural = "" if number == 1 or field == "memory" else "s"
    return f"{number:.10g} {words[field]}{plural}"


def _holds(kind: InstanceType, need: Need) -> bool:
    # ECS registers less than all of an instance's memory; how much less varies.
    # https://docs.aws.amazon.com/batch/latest/userguide/memory-management.html
    room = kind.memory > need.memory
    return room and kind.cpu >= need.cpu and kind.gpu >= need.gpu and kind.neuron >= need.neuron
