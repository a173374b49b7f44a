"""The parts of a job: its nodes, or the children of an array."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nbbatch.facts import NodeFacts, State
from nbbatch.widgets.model.states import LIVE

__all__ = ["Part", "Parts", "nodes_text"]

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
        ``node`` or ``child``.
    counts
        (word, how many), in the order of the states.
    """

    kind: str
    counts: tuple[tuple[str, int], ...]
    cells: tuple[Part, ...]


def nodes_text(nodes: Sequence[NodeFacts]) -> str:
    """Count the nodes by their states, and name the first few that have failed."""
    if not nodes:
        return ""
    counts = Counter(node.state for node in nodes)
    words = [f"{counts[state]} {LIVE[state][0].lower()}" for state in State if counts[state]]
    failed = [str(i) for i, node in enumerate(nodes) if node.state is State.FAILED]
    if failed and len(failed) < len(nodes):
        words[-1] += f" ({', '.join(failed[:_NAMED])}{', …' if len(failed) > _NAMED else ''})"
    return f"{len(nodes)}: {', '.join(words)}"
