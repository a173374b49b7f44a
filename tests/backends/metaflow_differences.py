"""All in which nbbatch's requests differ from Metaflow's, with the reason of each.

A `Difference` takes what differs out of both requests, where it is; what is left must be equal.
A `Refusal` is a set of parameters that one side takes and the other does not. The tests hold
each of them to be real, by its example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_rig import EXECUTION_ROLE, ROLE

from nbbatch.worker.boot.bootstrap import bootstrap_command

Request = dict[str, Any]
Level = Callable[[Request, Request], bool]
#: What both sides need.
COMMON = {"iam_role": ROLE, "execution_role": EXECUTION_ROLE, "image": "python:3.12"}


@dataclass(frozen=True)
class Case:
    """What is asked of both."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    platform: str = "EC2"
    nodes: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """`level` changes both requests and tells whether they differed in that."""

    name: str
    reason: str
    level: Level
    example: Case = field(default_factory=Case)


def _container(definition: Request) -> Request:
    nodes = definition.get("nodeProperties", {}).get("nodeRangeProperties")
    found: Request = nodes[0]["container"] if nodes else definition["containerProperties"]
    return found


def _told(job: Request) -> Request:
    nodes = job.get("nodeOverrides", {}).get("nodePropertyOverrides")
    found: Request = nodes[0]["containerOverrides"] if nodes else job["containerOverrides"]
    return found


def _drop(theirs: Any, ours: Any, name: str) -> bool:
    return theirs.pop(name, None) != ours.pop(name, None)


# Of the definition.


def _name(theirs: Request, ours: Request) -> bool:
    found = _drop(theirs, ours, "jobDefinitionName")
    return found


def _command(theirs: Request, ours: Request) -> bool:
    a, b = _container(theirs).pop("command"), _container(ours).pop("command")
    return bool(a == ["echo", "hello world"] and b == bootstrap_command(b[0]))


def _capabilities(theirs: Request, ours: Request) -> bool:
    if "platformCapabilities" in theirs or ours["platformCapabilities"] != ["EC2"]:
        return False
    del ours["platformCapabilities"]
    return True


def _empty_linux(theirs: Request, ours: Request) -> bool:
    if _container(theirs).get("linuxParameters") != {}:
        return False
    del _container(theirs)["linuxParameters"]
    return "linuxParameters" not in _container(ours)


def _adapters(theirs: Request, ours: Request) -> bool:
    if theirs["type"] != "container":
        return False
    one = {"hostPath": "/dev/infiniband/uverbs0"}
    a, b = (_container(d).get("linuxParameters", {}).get("devices", []) for d in (theirs, ours))
    more = [d for d in b if d["hostPath"].startswith("/dev/infiniband") and d != one]
    for device in more:
        b.remove(device)
    return bool(more) and one in a


def _ranges(theirs: Request, ours: Request) -> bool:
    a, b = theirs.get("nodeProperties"), ours.get("nodeProperties")
    if not (a and b):
        return False
    count = a["numNodes"]
    assert [r["targetNodes"] for r in a["nodeRangeProperties"]] == ["0:0", f"1:{count - 1}"]
    assert len({str(r["container"]) for r in a["nodeRangeProperties"]}) == 1
    assert (b["numNodes"], b["mainNode"]) == (2, 0)
    del a["nodeRangeProperties"][1], a["numNodes"], b["numNodes"]
    a["nodeRangeProperties"][0]["targetNodes"] = b["nodeRangeProperties"][0]["targetNodes"]
    return True


def _one_node(theirs: Request, ours: Request) -> bool:
    if theirs["type"] == ours["type"]:
        return False
    nodes = theirs.pop("nodeProperties")
    assert nodes["numNodes"] == 1
    theirs.update(
        type="container", containerProperties=nodes["nodeRangeProperties"][0]["container"]
    )
    return True


def _volumes(theirs: Request, ours: Request) -> bool:
    found = _container(theirs).get("volumes", [])
    once = [volume for n, volume in enumerate(found) if volume not in found[:n]]
    if once == found:
        return False
    _container(theirs)["volumes"] = once
    return True


OF_DEFINITIONS = [
    Difference("one node", "one node needs no multi-node job", _one_node, Case(nodes=1)),
    Difference(
        "ranges",
        "all nodes run the same, so one open range serves any number of them",
        _ranges,
        Case(nodes=3),
    ),
    Difference("name", "each names them by a hash of its own", _name),
    Difference("command", "ours is the same for all jobs; theirs is overridden by each", _command),
    Difference("platformCapabilities", "EC2 is said, and is the default", _capabilities),
    Difference("linuxParameters", "an empty object says nothing", _empty_linux),
    Difference(
        "efa",
        "a job on one node gets as many adapters as it asks for; theirs gets the first",
        _adapters,
        Case({"efa": 3}),
    ),
    Difference(
        "volumes",
        "a volume that is mounted twice is there once: Batch refuses two of one name",
        _volumes,
        Case({"host_volumes": ["/a", "/a:/b"]}),
    ),
]


# Of the job.


def _job_name(theirs: Request, ours: Request) -> bool:
    return _drop(theirs, ours, "jobName")


def _job_definition(theirs: Request, ours: Request) -> bool:
    return _drop(theirs, ours, "jobDefinition")


def _runtime_limit(theirs: Request, ours: Request) -> bool:
    if theirs.get("timeout") != {"attemptDurationSeconds": 432000} or "timeout" in ours:
        return False
    return bool(theirs.pop("timeout"))


def _attempts(theirs: Request, ours: Request) -> bool:
    if "retryStrategy" in theirs or ours["retryStrategy"] != {"attempts": 1}:
        return False
    return bool(ours.pop("retryStrategy"))


def _parameters(theirs: Request, ours: Request) -> bool:
    if not all(name.startswith("metaflow.") for name in theirs["parameters"]):
        return False
    del theirs["parameters"]
    return "parameters" not in ours


def _tags(theirs: Request, ours: Request) -> bool:
    if "tags" in theirs or "tags" not in ours:
        return False
    return bool(ours.pop("tags"))


def _overrides(theirs: Request, ours: Request) -> bool:
    a, b = theirs.get("nodeOverrides"), ours.get("nodeOverrides")
    if not (a and b):
        return False
    first, *others = (item["containerOverrides"] for item in a["nodePropertyOverrides"])
    same = ("environment", "resourceRequirements")
    assert all(other[name] == first[name] for other in others for name in same)
    assert b.pop("numNodes") == 1 + int(a["nodePropertyOverrides"][-1]["targetNodes"][2:])
    del a["nodePropertyOverrides"][1:]
    a["nodePropertyOverrides"][0]["targetNodes"] = b["nodePropertyOverrides"][0]["targetNodes"]
    return True


def _one_override(theirs: Request, ours: Request) -> bool:
    if "nodeOverrides" not in theirs or "nodeOverrides" in ours:
        return False
    (only,) = theirs.pop("nodeOverrides")["nodePropertyOverrides"]
    theirs["containerOverrides"] = only["containerOverrides"]
    return True


def _job_command(theirs: Request, ours: Request) -> bool:
    return bool(_told(theirs).pop("command")) and "command" not in _told(ours)


def _order(theirs: Request, ours: Request) -> bool:
    before = _told(theirs)["environment"], _told(theirs)["resourceRequirements"]
    for job in (theirs, ours):
        _told(job)["environment"].sort(key=lambda pair: pair["name"])
        _told(job)["resourceRequirements"].sort(key=lambda item: item["type"])
    return before != ([], [])


_NOT_OURS = ("METAFLOW_", "MF_PARALLEL_", "AWS_DEFAULT_REGION")


def _variables(theirs: Request, ours: Request) -> bool:
    a, b = _told(theirs), _told(ours)
    counts = len(a["environment"]), len(b["environment"])
    temporary = {p["value"] for p in a["environment"] if p["name"] == "METAFLOW_TEMPDIR"}
    if temporary:
        said = {p["name"]: p["value"] for p in b["environment"]}
        assert {said["NBBATCH_TEMPDIR"], said["TMPDIR"]} == temporary
        b["environment"] = [p for p in b["environment"] if p["name"] != "TMPDIR"]
    a["environment"] = [p for p in a["environment"] if not p["name"].startswith(_NOT_OURS)]
    b["environment"] = [p for p in b["environment"] if not p["name"].startswith("NBBATCH_")]
    return counts != (len(a["environment"]), len(b["environment"]))


OF_JOBS = [
    Difference("jobName", "each has its own way to find a job again", _job_name),
    Difference("jobDefinition", "ours by its name, theirs by the ARN looked up", _job_definition),
    Difference("one override", "one node needs no multi-node job", _one_override, Case(nodes=1)),
    Difference(
        "overrides",
        "all nodes are told the same, and how many they are",
        _overrides,
        Case(nodes=3),
    ),
    Difference("command of the job", "it is in our definition", _job_command),
    Difference("order", "of a list whose order says nothing", _order),
    Difference("variables", "each has its own; temporary files go where theirs go", _variables),
    Difference(
        "timeout", "theirs ends each job after five days; ours where asked to", _runtime_limit
    ),
    Difference("retryStrategy", "one attempt, said, and the default", _attempts),
    Difference("parameters", "Metaflow finds its jobs by them; ours have the user's", _parameters),
    Difference(
        "tags",
        "always sent; theirs only with METAFLOW_BATCH_EMIT_TAGS",
        _tags,
        Case({"aws_batch_tags": {"team": "ml"}}),
    ),
]


@dataclass(frozen=True)
class Refusal:
    """Who refuses, and when: `holds` is asked with a case that only that side refuses."""

    who: str
    reason: str
    holds: Callable[[Mapping[str, Any], Case], bool]
    example: Case


def _given(*names: str) -> Callable[[Mapping[str, Any], Case], bool]:
    return lambda p, case: any(p.get(name) not in (None, False) for name in names)


def _fargate(case: Case) -> bool:
    return case.platform.startswith("FARGATE")


def _on_fargate(*names: str) -> Callable[[Mapping[str, Any], Case], bool]:
    return lambda p, case: _fargate(case) and _given(*names)(p, case)


def _pair(p: Mapping[str, Any], case: Case) -> bool:
    from nbbatch.backends.aws.checks import FARGATE

    cpu, memory = float(p.get("cpu") or 1), int(float(p.get("memory") or 4096))
    return _fargate(case) and memory not in FARGATE.get(cpu, ())


def _fraction(*names: str) -> Callable[[Mapping[str, Any], Case], bool]:
    return lambda p, case: any(float(p.get(name) or 0) % 1 for name in names)


OURS, THEIRS = "nbbatch", "Metaflow"
FARGATE_PAIR = {"cpu": 1, "memory": 4096}

REFUSALS = [
    Refusal(
        OURS,
        "on Fargate Metaflow drops the sizes of memory",
        _on_fargate("shared_memory", "max_swap", "swappiness"),
        Case({**FARGATE_PAIR, "shared_memory": 64}, "FARGATE"),
    ),
    Refusal(
        OURS,
        "what Fargate does not take Metaflow sends, and Batch refuses it",
        _on_fargate("gpu", "privileged", "host_volumes", "efa", "log_driver"),
        Case({**FARGATE_PAIR, "privileged": True}, "FARGATE"),
    ),
    Refusal(
        OURS,
        "a pair that Fargate has not Metaflow sends, and Batch refuses it",
        _pair,
        Case({"cpu": 3}, "FARGATE"),
    ),
    Refusal(
        OURS,
        "a part of a vCPU on EC2 Metaflow sends, and Batch refuses it",
        lambda p, case: not _fargate(case) and _fraction("cpu")(p, case),
        Case({"cpu": 1.5}),
    ),
    Refusal(
        OURS,
        "part of a GPU, or of a MiB, Metaflow cuts off",
        _fraction("gpu", "memory", "shared_memory"),
        Case({"gpu": 1.5}),
    ),
    Refusal(
        OURS,
        "Batch ignores swappiness where max_swap is not said",
        lambda p, case: p.get("swappiness") is not None and p.get("max_swap") is None,
        Case({"swappiness": 60}),
    ),
    Refusal(
        OURS,
        "a disk of a size that Fargate has not Metaflow sends, and Batch refuses it",
        lambda p, case: not 21 <= int(p.get("ephemeral_storage") or 21) <= 200,
        Case({**FARGATE_PAIR, "ephemeral_storage": 20}, "FARGATE"),
    ),
    Refusal(
        OURS,
        "a tag whose first character alone is allowed Metaflow lets pass",
        lambda p, case: any("!" in text for pair in p["aws_batch_tags"].items() for text in pair),
        Case({"aws_batch_tags": {"a!": "b"}}),
    ),
    Refusal(
        OURS,
        "several nodes on Spot alone Metaflow sends, and Batch never starts them",
        lambda p, case: case.platform == "SPOT" and case.nodes > 1,
        Case(platform="SPOT", nodes=2),
    ),
    Refusal(
        OURS,
        "two things at one path Metaflow sends, and Docker refuses them",
        lambda p, case: "/same" in str(p.get("host_volumes")),
        Case({"host_volumes": ["/a:/same", "/b:/same"]}),
    ),
    Refusal(
        THEIRS,
        "swappiness may be 100, as its description and Batch's say",
        lambda p, case: int(p.get("swappiness") or 0) == 100,
        Case({"swappiness": 100, "max_swap": 0}),
    ),
    Refusal(
        THEIRS,
        "options of the log without a driver are those of Batch's default; theirs has none",
        lambda p, case: bool(p.get("log_options")) and not p.get("log_driver"),
        Case({"log_options": ["awslogs-group:/x"]}),
    ),
    Refusal(
        THEIRS,
        "an empty value of a tag is allowed by AWS",
        lambda p, case: "" in p["aws_batch_tags"].values(),
        Case({"aws_batch_tags": {"a": ""}}),
    ),
    Refusal(
        THEIRS,
        "a size with a unit is a size",
        lambda p, case: str(p.get("memory", "")).endswith("G"),
        Case({"memory": "4G"}),
    ),
]
