"""What frames and the backend tell about a job, and about each node of it, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from nbbatch.facts import Gpu, JobFacts, NodeFacts, State, Status, Usage
from nbbatch.futures.labels import MAIN
from nbbatch.wire import spec
from nbbatch.wire.frames import Frame

F = TypeVar("F", JobFacts, NodeFacts)


def changed(facts: F, frames: Iterable[Frame]) -> F:
    """Return the facts after some frames."""
    for item in frames:
        change = _CHANGES.get(item["kind"])
        if change:
            facts = change(facts, item)
    return facts


def _started(facts: F, item: Frame) -> F:
    given = {**item["given"], **facts.given}
    now: dict[str, Any] = {"state": State.RUNNING, "started_at": item["t"], "stopped_at": None}
    return replace(facts, given=given, message="", **now)


def _ended(facts: F, item: Frame) -> F:
    return replace(facts, stopped_at=item["t"])


def _used(facts: F, item: Frame) -> F:
    if item.get("final"):
        peak = item["peak"]
        figures = {name: peak[name] for name in ("cpu", "memory", "disk") if name in peak}
        return replace(facts, peak=_peak(facts.peak, replace(facts.peak or Usage(), **figures)))
    usage = Usage(
        cpu=item.get("cpu", 0.0),
        memory=item.get("memory", 0),
        memory_limit=item.get("memory_limit"),
        disk=item.get("disk", 0),
        gpus=tuple(Gpu(**gpu) for gpu in item.get("gpus", ())),
    )
    return replace(facts, usage=usage, peak=_peak(facts.peak, usage))


def _peak(old: Usage | None, new: Usage) -> Usage:
    if old is None:
        return new
    return Usage(
        cpu=max(old.cpu, new.cpu),
        memory=max(old.memory, new.memory),
        memory_limit=new.memory_limit,
        disk=max(old.disk, new.disk),
        gpus=max(old.gpus, new.gpus, key=lambda gpus: sum(gpu.memory for gpu in gpus)),
    )


def _noticed(facts: F, item: Frame) -> F:
    return replace(facts, message=item["text"])


_CHANGES: Mapping[str, Callable[[Any, Frame], Any]] = {
    "started": _started,
    "usage": _used,
    "notice": _noticed,
    "end": _ended,
}


def fullest(nodes: Iterable[Usage | None]) -> Usage | None:
    """Return the largest of each figure: it is the fullest node that may not fit."""
    found: Usage | None = None
    for usage in nodes:
        if usage is not None:
            found = _peak(found, usage)
    return found


def later(old: State, new: State) -> State:
    """Keep what the job itself said where the backend lags behind; a retry goes back."""
    lagging = old is State.RUNNING and new in (State.SUBMITTED, State.PENDING, State.STARTING)
    return old if lagging else new


def _seen(node: NodeFacts, status: Status) -> NodeFacts:
    """Merge what the backend says of a node, which knows its own end sooner."""
    state = node.state if node.state.final else later(node.state, status.state)
    return replace(node, state=state, message=status.reason or node.message)


def at_end(node: NodeFacts, last: Frame) -> NodeFacts:
    """Merge what a node's last frame says of its end, if it is the end."""
    if last["kind"] != "end":
        return node
    return replace(node, state=State.SUCCEEDED if last["status"] == spec.OK else State.FAILED)


def joined(facts: JobFacts, nodes: tuple[NodeFacts, ...]) -> JobFacts:
    """Tell of the job what its nodes tell of themselves."""
    main = nodes[MAIN]
    return replace(
        facts,
        nodes=nodes,
        state=main.state if main.state is State.RUNNING else facts.state,
        started_at=main.started_at or facts.started_at,
        stopped_at=main.stopped_at,
        given={**main.given, **facts.given},
        message=main.message or facts.message,
        usage=fullest(node.usage for node in nodes),
        peak=fullest(node.peak for node in nodes),
    )


def with_states(nodes: tuple[NodeFacts, ...], seen: tuple[Status, ...]) -> tuple[NodeFacts, ...]:
    """Merge what the backend says of the nodes, where it was asked about them."""
    if not seen:
        return nodes
    return tuple(_seen(node, status) for node, status in zip(nodes, seen, strict=True))


def first_facts(record: Any, backend: str) -> JobFacts:
    """Make the facts of a job that has just been submitted, or is found again."""
    return JobFacts(
        id=record.id,
        name=record.name,
        backend=backend,
        batch_job_id=record.batch_job_id,
        attempts=record.attempts,
        asked=dict(record.asked),
        submitted_at=record.submitted_at,
    )
