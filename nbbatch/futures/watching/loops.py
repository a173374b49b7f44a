"""How far a job's loops have come, as its frames tell it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from nbbatch.facts import LOOPS, JobFacts, NodeFacts, Progress
from nbbatch.wire.frames import Frame

F = TypeVar("F", JobFacts, NodeFacts)


def progressed(facts: F, items: Sequence[Frame]) -> F:
    """Return the facts after frames of loops; each keeps its place among the others."""
    loops = facts.progress
    for item in items:
        known = {loop.id: loop for loop in loops}
        if item.get("gone"):
            known.pop(item["id"], None)
        else:
            known[item["id"]] = _loop(item)
        loops = kept(tuple(known.values()))
    return replace(facts, progress=loops)


def _loop(item: Frame) -> Progress:
    return Progress(
        id=item["id"],
        label=item["label"],
        done=item["done"],
        total=item["total"],
        unit=item["unit"],
        rate=item.get("rate"),
        started_at=item["started"],
        at=item["t"] if item.get("ended") is None else item["ended"],
        closed=item["closed"],
    )


def kept(loops: tuple[Progress, ...]) -> tuple[Progress, ...]:
    """Return as many as are kept: what is over goes first, then what began last."""
    over = [loop for loop in loops if loop.closed][: max(0, len(loops) - LOOPS)]
    return tuple(loop for loop in loops if loop not in over)[:LOOPS]


def of_nodes(nodes: Sequence[tuple[Progress, ...]]) -> tuple[Progress, ...]:
    """Return the loops of all nodes, each marked with its node."""
    return kept(tuple(_marked(nodes)))


def _marked(nodes: Sequence[tuple[Progress, ...]]) -> Iterator[Progress]:
    for node, loops in enumerate(nodes):
        for loop in loops:
            label = f"node {node}: {loop.label}" if loop.label else f"node {node}"
            yield replace(loop, id=f"{node}.{loop.id}", label=label)
