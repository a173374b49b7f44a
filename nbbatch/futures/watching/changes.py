"""What frames and the backend tell about a job, and about each node of it, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from nbbatch.facts import Children, Gpu, JobFacts, NodeFacts, State, Status, Usage
from nbbatch.futures.records.registry import Record
from nbbatch.futures.telling.labels import MAIN
from nbbatch.futures.watching.loops import of_nodes, progressed
from nbbatch.wire import spec
from nbbatch.wire.frames import Frame

F = TypeVar("F", JobFacts, NodeFacts)


def changed(facts: F, frames: Iterable[Frame]) -> F:
    """Return the facts after some frames."""
    told = (item for item in frames if item["kind"] in _CHANGES)
    # Together what is of one kind: a long story is read again in a few large pieces.
    for kind, items in groupby(told, itemgetter("kind")):
        facts = _CHANGES[kind](facts, list(items))
    return facts


def _started(facts: F, items: list[Frame]) -> F:
    item = items[-1]
    given = {**item["given"], **facts.given}
    now: dict[str, Any] = {"state": State.RUNNING, "started_at": item["t"], "stopped_at": None}
    # What an attempt before used is not what this one uses.
    return replace(facts, given=given, message="", usage=None, progress=(), **now)


def _placed(facts: F, items: list[Frame]) -> F:
    return replace(facts, given={**items[-1]["given"], **facts.given})


def _ended(facts: F, items: list[Frame]) -> F:
    return replace(facts, stopped_at=items[-1]["t"])


def _used(facts: F, items: list[Frame]) -> F:
    usage, peak = facts.usage, facts.peak
    for item in items:
        if item.get("final"):
            most = {name: item["peak"].get(name, 0) for name in ("cpu", "memory", "disk")}
            peak = _peak(peak, replace(peak or Usage(), **most))
        else:
            usage = usage_of(item)
            peak = _peak(peak, usage)
    return replace(facts, usage=usage, peak=peak)


def usage_of(item: Frame) -> Usage:
    """Read a ``usage`` frame that is a sample."""
    return Usage(
        cpu=item.get("cpu", 0.0),
        memory=item.get("memory", 0),
        memory_limit=item.get("memory_limit"),
        disk=item.get("disk", 0),
        gpus=tuple(Gpu(**gpu) for gpu in item.get("gpus", ())),
        disk_limit=item.get("disk_limit"),
    )


def _peak(old: Usage | None, new: Usage) -> Usage:
    if old is None:
        return new
    return Usage(
        cpu=max(old.cpu, new.cpu),
        memory=max(old.memory, new.memory),
        memory_limit=new.memory_limit,
        disk=max(old.disk, new.disk),
        gpus=tuple(map(_fuller, old.gpus, new.gpus)) or old.gpus or new.gpus,
        disk_limit=new.disk_limit,
    )


def _fuller(old: Gpu, new: Gpu) -> Gpu:
    utilization, memory = max(old.utilization, new.utilization), max(old.memory, new.memory)
    return replace(new, utilization=utilization, memory=memory)


def _noticed(facts: F, items: list[Frame]) -> F:
    return replace(facts, message=items[-1]["text"])


_CHANGES: Mapping[str, Callable[[Any, list[Frame]], Any]] = {
    "started": _started,
    "place": _placed,
    "usage": _used,
    "notice": _noticed,
    "progress": progressed,
    "libraries": _noticed,
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
        progress=of_nodes([node.progress for node in nodes]),
    )


def with_states(nodes: tuple[NodeFacts, ...], seen: tuple[Status, ...]) -> tuple[NodeFacts, ...]:
    """Merge what the backend says of the nodes, where it was asked about them."""
    if not seen:
        return nodes
    return tuple(_seen(node, status) for node, status in zip(nodes, seen, strict=True))


def first_facts(record: Record, backend: str, prices: Mapping[str, Any] | None = None) -> JobFacts:
    """Make the facts of a job that has just been submitted, or is found again."""
    return JobFacts(
        id=record.id,
        name=record.name,
        backend=backend,
        batch_job_id=record.batch_job_id,
        attempts=record.attempts,
        asked=dict(record.asked),
        submitted_at=record.submitted_at,
        stays=record.past(),
        # Of one that has ended the backend may not be asked again: its frames end the story sooner.
        given=record.given(),
        prices=prices or {},
        children=_children(record),
    )


def _children(record: Record) -> Children | None:
    count = record.children
    if count is None:
        return None
    counts = {State.SUBMITTED: count} if count else {}
    return Children(count, record.items, record.chunksize, counts, "0" * count)


def ended(facts: JobFacts) -> JobFacts:
    """Add to the first facts of a job that has ended what its stays tell."""
    ran = [stay for stay in facts.stays if stay.state is State.RUNNING]
    return replace(
        facts,
        attempt=max((stay.attempt for stay in facts.stays), default=1),
        started_at=ran[-1].since if ran else None,
        stopped_at=facts.stays[-1].until if facts.stays else None,
    )


def state_of(facts: JobFacts, status: Status, attempt: int) -> State:
    """Keep what the job itself has said of its state where the backend lags behind."""
    if status.state.final or status.attempt > attempt:
        return status.state
    lags = status.attempt < attempt or facts.state is State.RUNNING
    return facts.state if lags else status.state


def as_told(facts: JobFacts, status: Status, attempt: int, message: str) -> JobFacts:
    """Merge what the backend says into the facts; `attempt` is the one that is followed."""
    return replace(
        facts,
        state=state_of(facts, status, attempt),
        attempt=status.attempt if status.state.final else max(status.attempt, attempt),
        given={**facts.given, **status.given},
        started_at=facts.started_at or status.started_at,
        stopped_at=status.stopped_at or facts.stopped_at,
        message=message,
        url=status.url or facts.url,
        log_url=status.log_url or facts.log_url,
        nodes=with_states(facts.nodes, status.nodes),
    )
