"""Facts become the texts that people read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nbbatch.facts import NodeFacts, State
from nbbatch.widgets.model import card_model, duration, size
from nbbatch.widgets.model.meters import Meter
from nbbatch.widgets.static import render_text
from tests.widgets.jobs import START, ended, running, waiting


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0 s"),
        (0.42, "0.4 s"),
        (9.96, "9 s"),
        (59.9, "59 s"),
        (72, "1 m 12 s"),
        (7500, "2 h 5 m"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    """A duration has at most two units."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (512 << 20, "512 MB"),
        (1023 << 20, "1 GB"),
        (3.14 * (1 << 30), "3.1 GB"),
        (16 << 30, "16 GB"),
        (2 << 40, "2 TB"),
    ],
)
def test_sizes_have_few_digits(amount: float, text: str) -> None:
    """A size has the digits that say something."""
    assert size(amount) == text


def test_a_running_job_says_what_it_got_and_uses() -> None:
    """Resources name what differs from what was asked; use is told against its limit."""
    model = card_model(running(attempt=2, attempts=3), START + 72)

    assert (model.mark, model.word, model.tone) == ("●", "Running", "running")
    assert model.elapsed == "1 m 12 s"
    assert model.times == "waited 12 s, ran 1 m 0 s"
    assert model.asked == "4 vCPU, 1 GPU, 16 GB"
    assert model.given == "2 vCPU of 4 asked, 1 GPU, 16 GB"
    assert model.place == "local · ip-10-0-0-7"
    assert model.attempt == "attempt 2 of 3"
    assert model.peak == "2 cores, 5 GB"
    assert model.until is None
    assert model.usage == (
        Meter("CPU", "1.9 of 2 cores", 0.96, "2 of 2 cores", 0.98, (), "2 cores"),
        Meter("Memory", "3 of 16 GB", 0.1875, "5 of 16 GB", 0.3125, (), "16 GB"),
        Meter("A10G", "87 %", 0.874, "87 %", 0.874, (), "100 %"),
        Meter("GPU memory", "10 of 24 GB", 0.4167, "10 of 24 GB", 0.4167, (), "24 GB"),
    )


def test_the_states_of_nodes_are_counted() -> None:
    """A thousand nodes take no more room than two; those that failed are named, up to five."""

    def said(*states: State) -> str:
        facts = running(nodes=tuple(NodeFacts(state=state) for state in states))
        return card_model(facts, START).nodes

    assert said() == ""
    assert said(State.RUNNING, State.STARTING) == "2: 1 starting, 1 running"
    assert said(*[State.RUNNING] * 2, State.FAILED) == "3: 2 running, 1 failed (2)"
    assert said(State.FAILED, State.FAILED) == "2: 2 failed"
    many = [State.RUNNING, *[State.FAILED] * 9]
    assert said(*many) == "10: 1 running, 9 failed (1, 2, 3, 4, 5, …)"


def test_more_than_was_asked_is_named_too() -> None:
    """What was given above the request stands before it, in its own unit."""
    given = {"cpu": "8", "gpu": 0, "memory": 512}
    model = card_model(running(given=given), START)

    assert model.given == "8 vCPU (4 vCPU asked), 0 GPU of 1 asked, 512 MB of 16 GB asked"


def test_what_was_done_without_is_said() -> None:
    """What the backend did not apply stands beside what it gave, and nowhere else."""
    given = {"cpu": 4, "not_applied": "not applied here: privileged", "host": "here"}
    model = card_model(running(given=given), START)

    assert model.given == "4 vCPU · not applied here: privileged"
    assert "privileged" not in model.place


def test_nothing_is_claimed_that_nobody_told() -> None:
    """Unknown figures leave their text empty, unlimited ones have no fraction."""
    model = card_model(waiting(given={"cpu": None, "memory": "much"}), START)

    assert model.given == ""
    assert model.usage == ()
    assert model.peak == ""


@pytest.mark.parametrize(
    ("outcome", "state", "word", "tone"),
    [
        ("ok", State.RUNNING, "Succeeded", "ok"),
        ("error", State.FAILED, "Failed", "bad"),
        ("cancelled", State.FAILED, "Cancelled", "cancelled"),
        ("lost", State.FAILED, "Lost", "bad"),
        ("unstarted", State.FAILED, "Not started", "bad"),
        ("", State.FAILED, "Failed", "bad"),
    ],
)
def test_the_outcome_decides_the_word(outcome: str, state: State, word: str, tone: str) -> None:
    """The sealed outcome is told before, and over, the backend's own state."""
    model = card_model(ended(outcome=outcome, state=state), START + 100)

    assert (model.word, model.tone) == (word, tone)
    assert model.elapsed == "1 m 24 s"
    assert model.steps[-1].word == word


def test_the_steps_tell_where_the_job_is() -> None:
    """One step is now, those before are done; an early end skips what was not reached."""

    def words(phase: str, **changes: object) -> list[str]:
        model = card_model(waiting(**changes), START)
        return [step.word for step in model.steps if step.phase == phase]

    early = {"state": State.FAILED, "outcome": "lost"}

    assert words("now", state=State.PENDING) == ["Pending"]
    assert words("done", state=State.STARTING) == ["Submitted", "Runnable"]
    assert words("next", state=State.STARTING) == ["Running", "Done"]
    assert words("done", **early) == ["Submitted"]
    assert words("now", **early) == ["Lost"]


def test_texts_are_one_line_clean_and_bounded() -> None:
    """Escapes, line breaks and lone surrogates never reach a card; long texts are cut."""
    model = card_model(
        waiting(name="a\x1b[31mb\udcff", message="one\n two\r" + "x" * 5000, url="javascript:1"),
        START,
    )

    assert model.name == "ab"
    assert model.message.startswith("one twox")
    assert len(model.message) == 1000
    assert model.url == ""
    assert json.dumps(model.as_json())


def test_a_result_from_the_cache() -> None:
    """It says in a word that nothing was run, in a line what was; and it costs nothing again."""
    prices = {"vcpu": 1.0, "memory": 1.0, "currency": "USD"}
    facts = replace(ended(), cached=True, message="computed on Monday", prices=prices)
    model = card_model(facts, facts.submitted_at + 60)

    assert (model.word, model.tone) == ("From the cache", "ok")
    assert model.steps[-1].word == "From the cache"
    assert model.message == "computed on Monday"
    assert model.cost == ""
    assert "From the cache" in render_text(facts, facts.submitted_at + 60)
