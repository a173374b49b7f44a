"""The timeline, the attempts before, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from nbbatch.facts import JobFacts, NodeFacts, State, Stay
from nbbatch.widgets.model import CardModel, card_model
from tests.widgets.jobs import START, ended, running, waiting


def stays(*times: tuple[State, int, float, float | None]) -> tuple[Stay, ...]:
    return tuple(
        Stay(state, attempt, START + since, None if until is None else START + until)
        for state, attempt, since, until in times
    )


FIRST = (
    (State.SUBMITTED, 1, 0, 2),
    (State.RUNNABLE, 1, 2, 62),
    (State.STARTING, 1, 62, 72),
)
ONCE = stays(*FIRST, (State.RUNNING, 1, 72, None))
TWICE = stays(
    *FIRST,
    (State.RUNNING, 1, 72, 172),
    (State.RUNNABLE, 2, 172, 180),
    (State.RUNNING, 2, 180, None),
)


def drawn(model: CardModel) -> list[tuple[str, str, str]]:
    return [(step.word, step.phase, step.time) for step in model.steps]


def test_each_state_has_its_time() -> None:
    """What is over has its time; what lasts has its beginning, from which the page counts."""
    model = card_model(running(stays=ONCE), START + 100)

    assert drawn(model) == [
        ("Submitted", "done", "2.0 s"),
        ("Runnable", "done", "1 m 0 s"),
        ("Starting", "done", "10 s"),
        ("Running", "now", ""),
        ("Done", "next", ""),
    ]
    assert (model.steps[3].since, model.steps[3].until) == (START + 72, None)
    assert model.times == "waited 1 m 12 s, ran 28 s"


def test_the_way_of_a_further_attempt() -> None:
    """It begins where it waits again; the ones before are told beside it."""
    facts = running(stays=TWICE, attempt=2, attempts=3, endings={1: "ValueError:\n boom"})
    model = card_model(facts, START + 200)

    assert drawn(model) == [
        ("Runnable", "done", "8.0 s"),
        ("Starting", "done", ""),
        ("Running", "now", ""),
        ("Done", "next", ""),
    ]
    (before,) = model.earlier
    assert (before.attempt, before.word, before.time) == (1, "Failed", "1 m 40 s")
    assert before.message == "ValueError: boom"
    assert model.times == "waited 1 m 20 s, ran 2 m 0 s"


def test_an_attempt_of_which_only_the_end_is_known() -> None:
    """Its container could not be started."""
    model = card_model(running(attempt=2, endings={1: "CannotPull"}, stays=()), START)

    assert [(e.word, e.time, e.message) for e in model.earlier] == [
        ("Not started", "", "CannotPull")
    ]


def test_what_depends_on_others_is_pending_on_its_way() -> None:
    """The state stays on the way, after it is over."""
    pending = stays(
        (State.SUBMITTED, 1, 0, 1), (State.PENDING, 1, 1, 31), (State.RUNNABLE, 1, 31, None)
    )
    model = card_model(waiting(stays=pending), START + 40)

    assert [step.word for step in model.steps][:3] == ["Submitted", "Pending", "Runnable"]
    assert drawn(model)[1] == ("Pending", "done", "30 s")


def test_a_job_that_was_cancelled_while_it_waited() -> None:
    """The way ends where it ended."""
    facts = waiting(
        state=State.FAILED,
        outcome="cancelled",
        stopped_at=START + 30,
        stays=stays((State.SUBMITTED, 1, 0, 2), (State.RUNNABLE, 1, 2, 30)),
    )

    assert drawn(card_model(facts, START + 99)) == [
        ("Submitted", "done", "2.0 s"),
        ("Runnable", "done", "28 s"),
        ("Cancelled", "now", ""),
    ]


def test_links_are_links() -> None:
    """Only an address of the web is one."""
    facts = running(log_url="https://console/log", url="file:///etc/passwd")
    model = card_model(facts, START)

    assert (model.log_url, model.url) == ("https://console/log", "")


PRICES = {"vcpu": 0.04, "memory": 0.0045, "gpu": 0.5, "currency": "USD"}


def cost(facts: JobFacts, **changes: Any) -> str:
    given = {"cpu": 4, "gpu": 1, "memory": 16384}
    values = {"prices": PRICES, "stays": ONCE, "given": given, **changes}
    return card_model(running(**{**vars(facts), **values}), START + 72 + 1800).cost


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "$0.37 so far, $0.73/h"),
        ({"stays": TWICE}, "$0.36 so far, $0.73/h"),
        ({"stays": stays(*FIRST)}, "$0.73/h once it runs"),
        ({"prices": {}}, ""),
        ({"prices": {**PRICES, "currency": "EUR"}}, "€0.37 so far, €0.73/h"),
        ({"prices": {**PRICES, "currency": "CHF"}}, "CHF 0.37 so far, CHF 0.73/h"),
        ({"prices": {"memory": 0.0045, "currency": "USD"}}, "$0.04 so far, $0.0720/h"),
        ({"prices": {"gpu": 0.01, "currency": "USD"}}, "< $0.01 so far, $0.0100/h"),
        ({"prices": {"p3.2xlarge": 3.06}}, ""),
        (
            {
                "prices": {**PRICES, "p3.2xlarge": 3.06},
                "given": {"instance": "p3.2xlarge", "cpu": 4},
            },
            "$1.53 so far, $3.06/h, the price of the whole p3.2xlarge",
        ),
        ({"nodes": (NodeFacts(),) * 4}, "$1.46 so far, $2.93/h"),
        ({"given": {}}, "$0.37 so far, $0.73/h"),
    ],
)
def test_what_it_costs_so_far(changes: dict[str, Any], text: str) -> None:
    """Counted while it runs, on all nodes and in all attempts, by what it was given."""
    assert cost(running(), **changes) == text


def test_what_it_cost() -> None:
    """At the end there is one sum; an instance is said to be a whole one."""
    half = stays(*FIRST, (State.RUNNING, 1, 72, 72 + 1800))
    facts = ended(stays=half, stopped_at=START + 72 + 1800)
    whole = {"prices": {"m5.large": 0.1, "currency": "USD"}, "given": {"instance": "m5.large"}}

    assert cost(facts, stays=half) == "$0.37"
    assert cost(facts, stays=half, **whole) == "$0.05 ($0.10/h, the price of the whole m5.large)"
    assert cost(ended(stopped_at=START + 30), stays=stays(*FIRST)) == "$0.00"
