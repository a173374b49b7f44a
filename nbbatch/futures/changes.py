"""What a frame tells about a job, or about one node of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from nbbatch.facts import Gpu, JobFacts, NodeFacts, State, Usage
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
    now = {"state": State.RUNNING, "started_at": item["t"], "stopped_at": None, "message": ""}
    return replace(facts, given=given, **now)


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
