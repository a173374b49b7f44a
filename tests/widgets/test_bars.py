"""What a job's loops look like on its card, in each of its forms."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nbbatch.facts import LOOPS, JobFacts, Progress, State
from nbbatch.futures.watching.changes import changed, joined
from nbbatch.futures.watching.loops import kept
from nbbatch.widgets.model import card_model
from nbbatch.widgets.model.bars import Bar, bars, more_bars
from nbbatch.wire.frames import frame
from tests.widgets.jobs import START, ended, running, waiting

MB = 1 << 20


def loop(**changes: Any) -> Progress:
    """Return a loop that is 3.4 s old, with changes."""
    values = {"id": "1", "label": "", "done": 120, "total": 500, "unit": "it", "rate": 35.0}
    return Progress(**{**values, "started_at": START, "at": START + 3.4, **changes})


def text(**changes: Any) -> str:
    return bars([loop(**changes)], over=False)[0].text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "120 of 500 it, 35/s, 11 s left"),
        ({"total": None}, "120 it, 35/s"),
        ({"rate": None}, "120 of 500 it"),
        ({"rate": 0.0}, "120 of 500 it"),
        ({"rate": 1 / 2.1}, "120 of 500 it, 2.1 s/it, 13 m 18 s left"),
        (
            {"rate": 1 / 185, "unit": "epoch", "total": 121},
            "120 of 121 epoch, 3 m 5 s/epoch, 3 m 5 s left",
        ),
        ({"rate": 1e-9, "total": None, "unit": ""}, "120, 11574 d 1 h/it"),
        ({"rate": 63231.4}, "120 of 500 it, 63,231/s, 1 s left"),
        ({"total": 0, "done": 0}, "0 of 0 it, 35/s"),
        ({"done": 600}, "600 of 500 it, 35/s"),
        ({"done": 0.25, "total": 1}, "0.25 of 1 it, 35/s, 1 s left"),
        ({"done": 1_234_567, "total": 5_000_000}, "1,234,567 of 5,000,000 it, 35/s, 1 d 5 h left"),
        ({"done": 12e6, "total": 3.2e9, "rate": None}, "12M of 3.2G it"),
        (
            {"done": 3.1 * MB, "total": 12 * MB, "unit": "B", "rate": 2.0 * MB},
            "3.1 MB of 12 MB, 2 MB/s, 5 s left",
        ),
        ({"done": 3.1 * MB, "total": None, "unit": "iB", "rate": None}, "3.1 MB"),
        ({"closed": True, "done": 500}, "500 it in 3.4 s, 35/s"),
        ({"closed": True}, "120 of 500 it in 3.4 s, 35/s"),
        ({"closed": True, "total": None}, "120 it in 3.4 s, 35/s"),
        ({"closed": True, "at": START + 0.01}, "120 of 500 it"),
        ({"closed": True, "done": 9 * MB, "total": 9 * MB, "unit": "B"}, "9 MB in 3.4 s, 35 B/s"),
    ],
)  # fmt: skip
def test_texts(changes: dict[str, Any], said: str) -> None:
    """How far, how fast, and how long it still takes, in few digits."""
    assert text(**changes) == said


def test_fractions() -> None:
    """A bar is full at the most; without an end in sight there is none."""
    found = [
        bars([loop(**changes)], over=False)[0].fraction
        for changes in ({}, {"done": 600}, {"done": -1}, {"total": None}, {"total": 0})
    ]

    assert found == [0.24, 1.0, 0.0, None, None]


def test_labels_are_text_of_one_line() -> None:
    """Escape sequences and line ends of a label are gone; a long one is cut."""
    (bar,) = bars(
        [loop(label="\x1b[31mred\x1b[0m\nline " + "x" * 99, unit="\x1b[1mi\n")], over=False
    )

    assert bar.label.startswith("red line xxx")
    assert len(bar.label) == 80
    assert bar.text.startswith("120 of 500 i, ")


def test_five_bars_are_shown_those_that_move_first() -> None:
    """Then the newest of those that are over; the others are counted."""
    loops = [loop(id=str(n), label=str(n), closed=n not in (2, 5)) for n in range(8)]

    assert [bar.label for bar in bars(loops, over=False)] == ["2", "5", "4", "6", "7"]
    assert more_bars(loops) == "and 3 more"
    assert more_bars(loops[:5]) == ""
    many = [loop(id=str(n), label=str(n)) for n in range(9)]
    assert [bar.label for bar in bars(many, over=False)] == ["0", "1", "2", "3", "4"]


def test_after_the_end_bars_stand_where_they_stopped() -> None:
    """Nothing is left of what was not closed, and no promise of what is to come."""
    progress = (loop(label="fit"), loop(id="2", closed=True, done=500))
    moving = card_model(running(progress=progress), START + 60).bars
    stopped = card_model(ended(progress=progress), START + 90).bars
    again = card_model(waiting(progress=progress), START + 90).bars

    assert moving[0] == Bar("fit", "120 of 500 it, 35/s, 11 s left", 0.24)
    assert stopped[0] == Bar("fit", "120 of 500 it in 3.4 s, 35/s", 0.24, closed=True)
    assert again == stopped
    assert card_model(running(), START).bars == ()


def test_the_page_gets_plain_values() -> None:
    """As every other part of the model."""
    found = card_model(running(progress=(loop(),)), START + 60).as_json()

    assert list(found["bars"]) == [
        {"label": "", "text": "120 of 500 it, 35/s, 11 s left", "fraction": 0.24, "closed": False}
    ]
    assert found["more_bars"] == ""


def said(id_: str, **changes: Any) -> dict[str, Any]:
    values = {"label": "", "done": 0, "total": None, "unit": "it", "rate": None}
    times = {"started": START, "ended": None, "closed": False}
    return frame("progress", id=id_, **{**values, **times, **changes})


def test_frames_become_facts() -> None:
    """A loop keeps its place; one that is gone is gone; a new attempt has none."""
    facts = changed(running(), [said("1"), said("2"), said("1", done=3), said("3", label="x")])
    assert [(p.id, p.done) for p in facts.progress] == [("1", 3), ("2", 0), ("3", 0)]

    facts = changed(facts, [said("2", closed=True, gone=True), said("9", closed=True, gone=True)])
    facts = changed(facts, [said("3", closed=True, ended=START + 2)])
    assert [p.id for p in facts.progress] == ["1", "3"]
    assert facts.progress[1].at == START + 2

    assert changed(facts, [frame("started", given={})]).progress == ()


def test_facts_are_bounded() -> None:
    """What is over goes first, the oldest before the others; then what began last."""
    loops = tuple(loop(id=str(n), closed=n in (3, 4)) for n in range(LOOPS + 3))

    assert [p.id for p in kept(loops)] == [
        str(n) for n in range(LOOPS + 3) if n not in (3, 4, LOOPS + 2)
    ]
    assert kept(loops[:LOOPS]) == loops[:LOOPS]


def test_the_loops_of_many_nodes() -> None:
    """They are marked, and no more than those of one."""
    facts = JobFacts("id", "name", "local", state=State.RUNNING)
    node = dataclasses.replace(running(), nodes=())
    nodes = tuple(changed(node, [said("1", label="a" * (n % 2))]) for n in range(50))
    found = joined(facts, nodes).progress  # type: ignore[arg-type]

    assert [(p.id, p.label) for p in found[:2]] == [("0.1", "node 0"), ("1.1", "node 1: a")]
    assert len(found) == LOOPS
