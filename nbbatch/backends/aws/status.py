"""Batch's description of a job as a `Status`.

A multi-node job has no container: what its nodes ask for is in ``nodeProperties``, its times,
reason and exit code are the main node's, and each node is a job of its own, ``<job id>#<index>``.
https://docs.aws.amazon.com/batch/latest/userguide/multi-node-parallel-jobs.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.diagnosis import (
    container_of,
    diagnose,
    exit_code,
    last_attempt,
    reasons,
)
from nbbatch.facts import State, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG_GROUP = "/aws/batch/job"
_LOGS = "awslogs"
_CONSOLES = {
    "cn-": "https://console.amazonaws.cn",
    "us-gov-": "https://console.amazonaws-us-gov.com",
    "": "https://console.aws.amazon.com",
}


def status(job: dict[str, Any], region: str, nodes: Sequence[dict[str, Any] | None] = ()) -> Status:
    """Read one entry of DescribeJobs.

    Parameters
    ----------
    region
        For the console's address; ``""`` where there is no console.
    nodes
        The entries of its nodes, where they were asked for; None for one that Batch does not know.
    """
    state = State(job["status"])
    diagnosis = diagnose(job) if state is State.FAILED else None
    said = reasons(job) + ([diagnosis.hint] if diagnosis and diagnosis.hint else [])
    return Status(
        state=state,
        reason="; ".join(said),
        loss=diagnosis.loss if diagnosis else None,
        exit_code=exit_code(job),
        attempt=_attempt(job, state),
        created_at=_seconds(job.get("createdAt")),
        started_at=_seconds(job.get("startedAt")),
        stopped_at=_seconds(job.get("stoppedAt")),
        given=_given(job),
        log=log_stream(job)[1],
        url=_url(job["jobId"], region) if region else "",
        nodes=tuple(status(node, region) if node else Status(state) for node in nodes),
    )


def nodes_of(job: dict[str, Any]) -> list[str]:
    """Return the ids of a multi-node job's nodes, in order; none for any other job."""
    if "nodeProperties" not in job or "#" in job["jobId"]:
        return []
    return [f"{job['jobId']}#{index}" for index in range(job["nodeProperties"]["numNodes"])]


def main_node(job: dict[str, Any]) -> str:
    """Return the id of the container's job: the job itself, or its main node."""
    nodes = nodes_of(job)
    return nodes[job["nodeProperties"].get("mainNode", 0)] if nodes else str(job["jobId"])


def log_stream(job: dict[str, Any]) -> tuple[str, str]:
    """Return the log group and stream of the last container.

    The stream is ``""`` where there is none yet, or the log goes elsewhere.
    """
    container, last = container_of(job), container_of(last_attempt(job))
    configuration = container.get("logConfiguration", {})
    options = configuration.get("options", {})
    if configuration.get("logDriver", _LOGS) != _LOGS:
        return "", ""
    stream = container.get("logStreamName") or last.get("logStreamName") or ""
    return options.get("awslogs-group", LOG_GROUP), stream


def _attempt(job: dict[str, Any], state: State) -> int:
    attempts = job.get("attempts") or job.get("eksAttempts") or ()
    ended = sum("stoppedAt" in attempt for attempt in attempts)
    return max(ended, 1) if state.final else ended + 1


def _given(job: dict[str, Any]) -> dict[str, Any]:
    container = container_of(job) or _of_main_node(job)
    wanted = {r["type"]: r["value"] for r in container.get("resourceRequirements", ())}
    if "eksProperties" in job:
        wanted = _of_pod(container)
    found = {
        "cpu": _number(float, wanted.get("VCPU", container.get("vcpus"))),
        "memory": _number(int, wanted.get("MEMORY", container.get("memory"))),
        "gpu": _number(int, wanted.get("GPU", 0)),
        "image": container.get("image"),
        "host": container.get("instanceType") or _node(job),
        "queue": job.get("jobQueue", "").rpartition("/")[2],
        "platform": next(iter(job.get("platformCapabilities", ())), None),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _of_pod(container: dict[str, Any]) -> dict[str, Any]:
    resources = container.get("resources", {})
    found = {**resources.get("requests", {}), **resources.get("limits", {})}
    memory = str(found.get("memory", "")).removesuffix("Mi")
    return {
        **({"VCPU": found["cpu"]} if "cpu" in found else {}),
        **({"MEMORY": memory} if memory.isdigit() else {}),
        "GPU": found.get("nvidia.com/gpu", 0),
    }


def _node(job: dict[str, Any]) -> str | None:
    name: str | None = job.get("eksProperties", {}).get("podProperties", {}).get("nodeName")
    return name


def _of_main_node(job: dict[str, Any]) -> dict[str, Any]:
    ranges = job.get("nodeProperties", {}).get("nodeRangeProperties", ())
    return next((each["container"] for each in ranges if "container" in each), {})


def _number(kind: type, value: Any) -> Any:
    return None if value is None else kind(value)


def _seconds(milliseconds: Any) -> float | None:
    return milliseconds / 1000 if milliseconds else None


def _url(job_id: str, region: str) -> str:
    console = next(url for prefix, url in _CONSOLES.items() if region.startswith(prefix))
    return f"{console}/batch/home?region={region}#jobs/detail/{job_id}"
