"""One job as a line among many."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from nbbatch.facts import JobFacts
from nbbatch.widgets.model.bars import Bar
from nbbatch.widgets.model.card import card_model
from nbbatch.widgets.model.parts import Parts

__all__ = ["Row", "row"]


@dataclass(frozen=True)
class Row:
    """What the monitor says about a job; the names mean what they mean in `CardModel`.

    Attributes
    ----------
    until
        None while it lives, and where its end is not known.
    use
        What it uses now, a line for each figure; after the end, the most that it used.
    fraction
        The fullest of its meters, of the limit; None where nothing limits it.
    nodes, of
        How many nodes, or children, are in which state; and the word for them.
    bar
        The newest loop that has not closed, of those that tell how far they have come.
    """

    id: str
    name: str
    mark: str
    word: str
    tone: str
    since: float
    until: float | None
    done: bool
    use: str
    fraction: float | None
    bar: Bar | None
    cost: str
    message: str
    nodes: str
    parts: Parts | None = None
    of: str = "nodes"

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values, for the page."""
        return dataclasses.asdict(self)


def row(facts: JobFacts, now: float, *, parts: bool = False) -> Row:
    """Say what the monitor shows about `facts` at the time `now` (seconds since the epoch).

    Parameters
    ----------
    parts
        Whether to tell of each node or child, too.
    """
    card = card_model(facts, now)
    live = [] if card.done else [meter for meter in card.usage if meter.fraction is not None]
    fullest = max(live, key=lambda meter: meter.fraction or 0.0, default=None)
    return Row(
        id=card.id,
        name=card.name,
        mark=card.mark,
        word=card.word,
        tone=card.tone,
        since=card.since,
        until=facts.stopped_at if card.done else None,
        done=card.done,
        use=_use(card.done, card.peak, [meter.text for meter in card.usage[:2]]),
        fraction=None if fullest is None else fullest.fraction,
        bar=next((bar for bar in reversed(card.bars) if not bar.closed), None),
        cost=card.cost,
        message=card.message,
        nodes=card.nodes,
        parts=card.parts if parts else None,
        of="nodes" if facts.children is None else "children",
    )


def _use(done: bool, peak: str, now: list[str]) -> str:
    if done:
        return f"peak {peak}" if peak else ""
    return "\n".join(now)
