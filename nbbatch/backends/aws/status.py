"""Batch's description of a job as a `Status`.

A multi-node job has no container: what its nodes ask for is in ``nodeProperties``, its times,
reason and exit code are the main node's, and each node is a job of its own, ``<job id>#<index>``.
https://docs.aws.amazon.com/batch/latest/userguide/multi-node-parallel-jobs.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nbbatch.backends.aws.diagnosis import (
    container_of,
    diagnose,
    exit_code,
    last_attempt,
    reasons,
)
from nbbatch.facts import State, Status, Stay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOG_GROUP = "/aws/batch/job"
_LOGS = "awslogs"
#: Jobs that are named where one waits for many.
_NAMED = 3
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
    if state is State.PENDING:
        said += _waits_for(job)
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
        log_url=_log_url(*log_stream(job), region) if region else "",
        nodes=tuple(status(node, region) if node else Status(state) for node in nodes),
        children=_children(job),
        stays=tuple(_stays(job, state)),
        endings=_endings(job, state),
    )


def nodes_of(job: dict[str, Any]) -> list[str]:
    """Return the ids of a multi-node job's nodes, in order; none for any other job."""
    if "nodeProperties" not in job or "#" in job["jobId"]:
        return []
    return [f"{job['jobId']}#{index}" for index in range(job["nodeProperties"]["numNodes"])]


def _children(job: dict[str, Any]) -> dict[State, int]:
    """Return how many of an array's children are in which state."""
    summary = job.get("arrayProperties", {}).get("statusSummary") or {}
    return {State(name): count for name, count in summary.items() if count}


def child_status(listed: dict[str, Any]) -> Status:
    """Read one entry of ListJobs, which says less than DescribeJobs."""
    job = {**listed, "status": State.FAILED.value}
    diagnosis = diagnose(job)
    return Status(
        State.FAILED,
        reason="; ".join(reasons(job)),
        loss=diagnosis.loss,
        exit_code=exit_code(job),
        started_at=_seconds(job.get("startedAt")),
        stopped_at=_seconds(job.get("stoppedAt")),
    )


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


def _waits_for(job: dict[str, Any]) -> list[str]:
    others = [each["jobId"] for each in job.get("dependsOn", ()) if "jobId" in each]
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return [f"it waits for {', '.join(others[:_NAMED])}{more} to succeed"] if others else []


def _attempt(job: dict[str, Any], state: State) -> int:
    ended = len(_ended(job))
    return max(ended, 1) if state.final else ended + 1


def _ended(job: dict[str, Any]) -> list[dict[str, Any]]:
    attempts = job.get("attempts") or job.get("eksAttempts") or ()
    return [attempt for attempt in attempts if "stoppedAt" in attempt]


def _stays(job: dict[str, Any], state: State) -> Iterator[Stay]:
    """Yield the states of which Batch keeps the times: it tells no more than these."""
    created_at = _seconds(job.get("createdAt"))
    if created_at is not None:
        yield Stay(State.SUBMITTED, 1, created_at)
    ended = _ended(job)
    for number, attempt in enumerate(ended, 1):
        # An attempt of which the container could not be started has never run.
        began = _seconds(attempt.get("startedAt"))
        if began is not None:
            yield Stay(State.RUNNING, number, began, _seconds(attempt["stoppedAt"]))
    # Until an attempt runs, the job still tells of the one before.
    runs = state is State.RUNNING or (state.final and not ended)
    began = _seconds(job.get("startedAt"))
    if runs and began is not None:
        yield Stay(State.RUNNING, len(ended) + 1, began)


def _endings(job: dict[str, Any], state: State) -> dict[int, str]:
    """Return what Batch says of the end of each attempt that was followed by another."""
    ended = _ended(job)[:-1] if state.final else _ended(job)
    said = {n: "; ".join(reasons({"attempts": [each]})) for n, each in enumerate(ended, 1)}
    return {number: text for number, text in said.items() if text}


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
        "instance": container.get("instanceType"),
        "host": _node(job),
        "queue": job.get("jobQueue", "").rpartition("/")[2],
        "platform": _platform(job),
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


def _platform(job: dict[str, Any]) -> str | None:
    if "eksProperties" in job:
        return "EKS"
    return next(iter(job.get("platformCapabilities", ())), None)


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


def _console(region: str) -> str:
    return next(url for prefix, url in _CONSOLES.items() if region.startswith(prefix))


def _url(job_id: str, region: str) -> str:
    return f"{_console(region)}/batch/home?region={region}#jobs/detail/{job_id}"


def _log_url(group: str, stream: str, region: str) -> str:
    if not stream:
        return ""
    # In this address the console wants everything quoted twice, with another sign.
    names = [quote(quote(name, safe=""), safe="").replace("%", "$") for name in (group, stream)]
    place = "#logsV2:log-groups/log-group/{}/log-events/{}".format(*names)
    return f"{_console(region)}/cloudwatch/home?region={region}{place}"
