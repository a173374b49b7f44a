"""What the card of an executor says; how it looks is for tests/browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbbatch import BatchExecutor
from nbbatch.executor import executor as room
from nbbatch.executor import showing
from nbbatch.facts import JobFacts, State
from nbbatch.widgets import render_text
from nbbatch.widgets.model import card_model
from tests.executor.stages import eventually, fail, until


class Card:
    """Stands for a card: keeps what it is told."""

    def __init__(self, facts: JobFacts, *, cancel: Callable[[], None]) -> None:
        self.facts, self.click, self.text = facts, cancel, ""
        self.left: JobFacts | None = None

    def update(self, facts: JobFacts) -> None:
        self.facts = facts

    def write(self, name: str, text: str) -> None:
        self.text += text

    def release(self) -> None:
        pass

    def finish(self, facts: JobFacts) -> None:
        self.left = facts


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> list[Card]:
    """Have each executor's card in a list, as if a cell ran."""
    made: list[Card] = []

    def show(facts: JobFacts, **more: Any) -> Card:
        made.append(Card(facts, **more))
        return made[-1]

    monkeypatch.setattr(room, "watched", lambda: True)
    monkeypatch.setattr(showing, "show", show)
    return made


def test_a_card_for_all_calls(executors: Any, cards: list[Card], tmp_path: Path) -> None:
    """Workers and calls are counted while they run; at the end the plain form has it all."""
    executor = executors(2)
    calls = [executor.submit(until, tmp_path / "go"), executor.submit(fail, "x")]
    calls.append(executor.submit(print, "hello from a worker"))
    (card,) = cards
    eventually(lambda: calls[1].done() and calls[2].done() and "hello" in card.text)
    eventually(lambda: [bar.done for bar in card.facts.progress] == [2])
    live = card_model(card.facts, 0.0)

    assert live.parts is not None
    assert (live.parts.kind, len(live.parts.cells)) == ("worker", 2)
    assert (live.bars[0].label, live.message) == ("Calls", "1 of 3 calls failed")
    assert repr(executor).endswith("2 of 2 workers, 2 of 3 calls done, 1 failed, 1 to come>")
    (tmp_path / "go").touch()
    executor.shutdown()
    assert card.left is not None
    assert (card.left.outcome, card.left.state) == ("error", State.FAILED)
    assert "1 of 3 calls failed" in render_text(card.left)
    assert "0 of 2 workers" in repr(executor)


def test_a_call_that_is_done_before_it_is_submitted(
    one: BatchExecutor, cards: list[Card], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast a worker is, and however slow the cell: it is counted, and shown."""
    assert one.submit(pow, 2, 3).result(60) == 8
    add = one._pool.add

    def done(call: Any) -> None:
        add(call)
        eventually(call.done)

    monkeypatch.setattr(one._pool, "add", done)
    one.submit(pow, 2, 4)
    (card,) = cards
    eventually(lambda: [(bar.done, bar.total) for bar in card.facts.progress] == [(2, 2)])


def test_a_call_that_is_not_taken(one: BatchExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not count."""
    monkeypatch.setattr(one._pool, "add", lambda call: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.submit(pow, 2, 3)
    assert repr(one).endswith("0 of 0 calls done>")


def test_cancel(executors: Any, cards: list[Card], tmp_path: Path) -> None:
    """A click stops the workers, and drops the calls that wait."""
    executor: BatchExecutor = executors(1)
    calls = [executor.submit(until, tmp_path / "never") for _ in range(3)]
    (card,) = cards
    eventually(lambda: calls[0].job is not None and calls[0].job.running())
    card.click()
    eventually(lambda: card.left is not None)

    assert [call.done() for call in calls] == [True] * 3
    assert card.left is not None
    assert card.left.outcome == "cancelled"


def test_no_card_stays_for_ever(executors: Any, cards: list[Card]) -> None:
    """It is folded when the last idle worker has ended; the next call gets a new one."""
    executor = executors(1, idle_timeout=0.0)
    assert executor.submit(pow, 2, 3).result(60) == 8
    eventually(lambda: cards[0].left is not None)
    assert executor.submit(pow, 2, 4).result(60) == 16

    assert len(cards) == 2
    assert cards[0].left is not None
    assert cards[0].left.outcome == "ok"
