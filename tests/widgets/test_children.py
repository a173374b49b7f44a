"""An array on the card: its bar, its grid, how far it is in the timeline; and in the monitor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nbbatch.facts import Child, Children, State
from nbbatch.widgets.model import card_model
from nbbatch.widgets.model.parts import MAX_CELLS
from nbbatch.widgets.model.row import row
from tests.widgets.jobs import START, ended, running


def children(states: str, *failed: Child, **changes: int) -> Children:
    """Return children whose states are told one by one."""
    counts = {state: states.count(str(n)) for n, state in enumerate(State)}
    told = {state: count for state, count in counts.items() if count}
    size = len(states)
    return Children(size, changes.get("items", size), 1, told, states, failed)


def test_the_bar_says_how_many_are_done() -> None:
    """And how many of them failed; chunks are named; it is closed at the end."""
    many = children("5" * 809 + "666" + "4" * 10 + "0" * 178)
    (bar,) = card_model(running(children=many), START + 60).bars
    assert (bar.label, bar.text, bar.fraction) == ("Array", "812 of 1,000 done, 3 failed", 0.812)
    (chunks,) = card_model(running(children=children("5540", items=37)), START + 60).bars
    assert chunks.text == "2 of 4 chunks done"
    (over,) = card_model(ended(children=children("555")), START + 90).bars
    assert (over.text, over.closed, bar.closed) == ("3 of 3 done", True, False)


def test_the_timeline_says_it_too() -> None:
    """Beside the state in which its children run."""
    steps = card_model(running(children=children("5540")), START + 60).steps
    assert [step.note for step in steps if step.word == "Running"] == ["2 of 4"]
    assert {step.note for step in steps if step.word != "Running"} == {""}


def test_failed_children_come_first() -> None:
    """Each with its reason; then by index."""
    bad = Child(3, "ValueError: \x1b[31mno\x1b[0m\n3")
    grid = card_model(running(children=children("54065", bad)), START).parts
    assert grid is not None
    assert (grid.kind, grid.counts) == (
        "child",
        (("Submitted", 1), ("Running", 1), ("Succeeded", 2), ("Failed", 1)),
    )
    assert [(cell.index, cell.word) for cell in grid.cells] == [
        (3, "Failed"),
        (0, "Succeeded"),
        (1, "Running"),
        (2, "Submitted"),
        (4, "Succeeded"),
    ]
    assert grid.cells[0].text == "ValueError: no 3"


def test_ten_thousand_children_are_bounded() -> None:
    """A thousand cells, those that failed and those that run among them."""
    states = "5" * 9000 + "4" * 500 + "0" * 499 + "6"
    facts = running(children=children(states, Child(9999, "boom")))
    card = card_model(facts, START + 60)
    assert card.parts is not None
    assert len(card.parts.cells) == MAX_CELLS
    assert [cell.index for cell in card.parts.cells[:3]] == [9999, 9000, 9001]
    assert dict(card.parts.counts)["Succeeded"] == 9000
    assert card.nodes == "10,000: 499 submitted, 500 running, 9,000 succeeded, 1 failed (9999)"


def test_an_array_of_one_is_an_ordinary_job() -> None:
    """No grid and no bar."""
    card = card_model(running(children=children("4")), START)
    assert (card.parts, card.bars, card.nodes) == (None, (), "")


def test_the_monitors_row() -> None:
    """It counts the children, has the bar, and the grid where it is unfolded."""
    facts = running(children=children("5564", Child(2, "boom")))
    closed, opened = row(facts, START + 60), row(facts, START + 60, parts=True)
    assert (closed.of, closed.nodes) == ("children", "4: 1 running, 2 succeeded, 1 failed (2)")
    assert closed.bar is not None
    assert closed.bar.text == "3 of 4 done, 1 failed"
    assert closed.parts is None
    assert opened.parts is not None
    assert row(running(), START).of == "nodes"


def test_the_cost_of_an_array() -> None:
    """By how long all children ran together; nothing where nobody knows it, or has prices."""
    prices = {"vcpu": 0.04}

    def cost(told: Children, **changes: Any) -> str:
        return card_model(running(given={"cpu": 1}, children=told, **changes), START + 60).cost

    some = replace(children("455"), ran=90 * 3600.0, live=1, since=START - 10 * 3600 + 60)
    assert cost(children("45"), prices=prices) == ""
    assert cost(some) == ""
    assert cost(some, prices=prices) == "$4.00 so far, $0.0400/h"
    assert cost(replace(children("055"), ran=3600.0), prices=prices) == "$0.04 so far"
    assert cost(replace(children("655"), ran=36.0), prices=prices) == "< $0.01"
