"""The parts of a job: its nodes, or the children of an array."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbbatch.facts import JobFacts, NodeFacts, State
from nbbatch.widgets.log import plain
from nbbatch.widgets.model.states import LIVE
from nbbatch.widgets.model.texts import clip, duration, number, size

__all__ = ["MAX_CELLS", "MAX_TEXT", "Part", "Parts", "arranged", "counted", "nodes_text", "parts"]

#: Cells that the page gets; the counts tell of all.
MAX_CELLS = 1000
#: From here on only cells that failed bring a text: the page gets all of it at each change.
_MANY = 100
MAX_TEXT = 160
#: Failed nodes that are named.
_NAMED = 5


@dataclass(frozen=True)
class Part:
    """One node or child: its index, its state as sign, word and tone, and a line about it."""

    index: int
    mark: str
    word: str
    tone: str
    text: str = ""


@dataclass(frozen=True)
class Parts:
    """All of them, for the grid: the failed ones first.

    Attributes
    ----------
    kind
        ``node``, ``child`` or ``worker``.
    counts
        (word, how many), in the order of the states.
    """

    kind: str
    counts: tuple[tuple[str, int], ...]
    cells: tuple[Part, ...]


def parts(facts: JobFacts) -> Parts | None:
    """Return an executor's workers, or the nodes of a job; None of a job that has but one."""
    nodes = facts.workers or facts.nodes
    if len(nodes) < 2 and not facts.workers:
        return None
    talks = len(nodes) <= _MANY
    return arranged(
        "worker" if facts.workers else "node",
        (
            Part(i, mark, word, tone, _about(node) if talks or tone == "bad" else "")
            for i, node in enumerate(nodes)
            for word, mark, tone in (LIVE[node.state],)
        ),
    )


def arranged(kind: str, cells: Iterable[Part]) -> Parts:
    """Put parts in order: the failed ones first, each kind by index; `MAX_CELLS` at most.

    Parameters
    ----------
    kind
        ``node``, ``child`` or ``worker``.
    """
    ordered = sorted(cells, key=lambda cell: (cell.tone != "bad", cell.index))
    counts = Counter(cell.word for cell in ordered)
    words = dict.fromkeys((*(word for word, _, _ in LIVE.values()), *counts))
    return Parts(
        kind,
        tuple((word, counts[word]) for word in words if counts[word]),
        tuple(ordered[:MAX_CELLS]),
    )


def _about(node: NodeFacts) -> str:
    """Write a line about one node: why it ended so, where it runs, how long, what it uses."""
    texts = (plain(node.message), _host(node.given), _ran(node), _memory(node))
    return clip(" · ".join(" ".join(text.split()) for text in texts if text), MAX_TEXT)


def _host(given: Mapping[str, Any]) -> str:
    host = given.get("host") or given.get("instance")
    return plain(host) if isinstance(host, str) else ""


def _ran(node: NodeFacts) -> str:
    if node.started_at is None or node.stopped_at is None:
        return ""
    return f"ran {duration(node.stopped_at - node.started_at)}"


def _memory(node: NodeFacts) -> str:
    usage = node.usage or node.peak
    if usage is None:
        return ""
    limit = number(usage.memory_limit)
    said = size(usage.memory) + (f" of {size(limit)}" if limit else "")
    return f"{'memory' if node.usage else 'peak'} {said}"


def nodes_text(nodes: Sequence[NodeFacts]) -> str:
    """Count the nodes by their states, and name the first few that have failed."""
    if not nodes:
        return ""
    failed = [i for i, node in enumerate(nodes) if node.state is State.FAILED]
    return counted(len(nodes), Counter(node.state for node in nodes), failed)


def counted(size: int, counts: Mapping[State, int], failed: Sequence[int]) -> str:
    """Write how many of `size` are in which state, and name the first few of the `failed`."""
    words = [f"{counts[s]:,} {LIVE[s][0].lower()}" for s in State if counts.get(s)]
    bad = counts.get(State.FAILED, 0)
    if failed and bad < size:
        named = ", ".join(map(str, failed[:_NAMED]))
        words[-1] += f" ({named}{', …' if bad > _NAMED else ''})"
    return f"{size:,}: {', '.join(words)}"
