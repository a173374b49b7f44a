"""The children of an array: how far it has come, and a cell for each, the failed ones first."""

from __future__ import annotations

from nbbatch.facts import Children, JobFacts, State
from nbbatch.widgets.log import plain
from nbbatch.widgets.model.bars import Bar
from nbbatch.widgets.model.parts import (
    MAX_CELLS,
    MAX_TEXT,
    Part,
    Parts,
    counted,
    parts,
)
from nbbatch.widgets.model.states import LIVE
from nbbatch.widgets.model.texts import clip

__all__ = ["children_bar", "children_note", "children_text", "grid"]

_LABEL = "Array"


def grid(facts: JobFacts) -> Parts | None:
    """Return the nodes of a job, or the children of an array; None where there is but one."""
    children = facts.children
    if children is None:
        return parts(facts)
    if children.size < 2:
        return None
    said = {child.index: _line(child.message) for child in children.failed}
    cells = tuple(_cell(index, children, said) for index in _shown(children))
    counts = ((LIVE[state][0], children.counts.get(state, 0)) for state in State)
    return Parts("child", tuple((word, count) for word, count in counts if count), cells)


def _shown(children: Children) -> list[int]:
    """Choose and order those that get a cell: failed ones first; of many those that run next."""
    failed = children.indexes(State.FAILED)
    first = {*failed, *children.indexes(State.RUNNING)} if children.size > MAX_CELLS else {*failed}
    rest = sorted(first - {*failed})
    others = (index for index in range(children.size) if index not in first)
    return [*failed, *rest, *others][:MAX_CELLS]


def _cell(index: int, children: Children, said: dict[int, str]) -> Part:
    word, mark, tone = LIVE[children.state(index)]
    return Part(index, mark, word, tone, said.get(index, ""))


def _line(text: str) -> str:
    return clip(" ".join(plain(text).split()), MAX_TEXT)


def children_bar(facts: JobFacts) -> tuple[Bar, ...]:
    """Return the bar of an array that has several children: ``812 of 1,000 done, 3 failed``."""
    children = facts.children
    if children is None or children.size < 2:
        return ()
    unit = "" if children.size == children.items else " chunks"
    failed = children.counts.get(State.FAILED, 0)
    text = f"{children.done:,} of {children.size:,}{unit} done"
    text += f", {failed:,} failed" if failed else ""
    fraction = round(children.done / children.size, 4)
    return (Bar(_LABEL, text, fraction, facts.done or facts.state.final),)


def children_note(facts: JobFacts) -> str:
    """Say beside the state how far an array has come: ``812 of 1,000``."""
    children = facts.children
    if children is None or children.size < 2:
        return ""
    return f"{children.done:,} of {children.size:,}"


def children_text(facts: JobFacts) -> str:
    """Count the children by their states, and name the first few that have failed."""
    children = facts.children
    if children is None or children.size < 2:
        return ""
    return counted(children.size, children.counts, [child.index for child in children.failed])
