"""What a person reads while libraries are built and sent."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from nbbatch import batch, calling
from nbbatch.calling import submit
from nbbatch.errors import LibraryError
from nbbatch.facts import JobFacts, State
from nbbatch.follow import Follower, follow, steps
from tests.libraries.conftest import Kernel, Notebook


def test_in_a_terminal(
    notebook: Notebook, kernel: Kernel, bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each kind of step, and nothing where there is nothing to do."""
    kernel.install("tinylib")
    notebook.batch("import tinylib", f"--executable {bare}")
    first = capsys.readouterr().out
    notebook.batch("import tinylib", f"--executable {bare}")

    assert "○ sending tinylib, 1 of 1" in first
    assert "○ sent 1 of the kernel's libraries, 0.0 MB" in first
    assert "sen" not in capsys.readouterr().out


class Card:
    """A view that keeps what it is shown."""

    def __init__(self) -> None:
        self.seen: list[JobFacts] = []
        self.ended: JobFacts | None = None
        self.ask: Any = None

    def update(self, facts: JobFacts) -> None:
        self.seen.append(facts)

    def poll(self) -> None:
        if self.ask is not None:
            self.ask()

    def finish(self, facts: JobFacts, **_: Any) -> None:
        self.ended = facts

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


class Emitter:
    """An ordinary cell's."""

    takes_text = True

    def emit(self, frame: dict[str, Any]) -> None:
        pass


class Cards(list[Card]):
    """Those that were shown; on the next ones, Cancel is pressed at once where it is wanted."""

    cancelled = False


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Cards:
    """Have cards instead of widgets; return those that were shown."""
    shown = Cards()

    def show(facts: JobFacts, *, cancel: Any, **_: Any) -> Card:
        shown.append(Card())
        shown[-1].update(facts)
        shown[-1].ask = cancel if shown.cancelled else None
        return shown[-1]

    # The package has a function of the module's name.
    monkeypatch.setattr(sys.modules["nbbatch.follow.following"], "show", show)
    monkeypatch.setattr(steps, "fitting_emitter", Emitter)
    monkeypatch.setattr(calling, "fitting_emitter", Emitter)
    return shown


def importing() -> Any:
    """Return a function that travels by its code alone."""

    def imports() -> str:
        import tinylib

        return str(tinylib.__version__)

    return imports


def test_on_the_card(local_session: Any, kernel: Kernel, bare: str, cards: Cards) -> None:
    """It is there before the job, says each kind of step, and is the job's own card later."""
    kernel.install("tinylib")
    follower = Follower()
    job = submit(importing(), (), {}, {"executable": bare}, follower)
    follow(job, follower, Emitter(), detachable=False)
    (card,) = cards
    said = [facts.message for facts in card.seen]

    assert said[0] == "sending tinylib, 1 of 1"
    assert "sent 1 of the kernel's libraries, 0.0 MB" in said
    assert {facts.id for facts in card.seen} == {job.id}
    assert card.ended == job.facts
    assert job.result(0) == "1.0"


def test_on_a_card_of_what_is_not_started(
    local_session: Any, kernel: Kernel, bare: str, cards: Cards
) -> None:
    """It ends with the reason."""
    kernel.install("tinylib", tag="py3-none-manylinux_2_99_x86_64")
    with pytest.raises(LibraryError):
        submit(importing(), (), {}, {"executable": bare}, Follower())
    (card,) = cards

    assert card.seen[0].message.startswith("resolving 1 libraries")
    assert card.ended is not None
    assert card.ended.state is State.FAILED
    assert card.ended.outcome == "unstarted"
    assert "can't be had" in card.ended.message


def test_cancel_on_the_card_before_the_start(
    local_session: Any, kernel: Kernel, bare: str, cards: Cards
) -> None:
    """Nothing is started, and nothing is left of it."""
    kernel.install("tinylib")
    follower = Follower()
    follower.cancel.set()
    with pytest.raises(KeyboardInterrupt, match="imports was not started"):
        submit(importing(), (), {}, {"executable": bare}, follower)
    store = local_session.backend.store

    assert cards[0].ended is not None
    assert cards[0].ended.outcome == "cancelled"
    assert not [key for key, _, _ in store.list("jobs/")]


def test_on_the_card_of_an_array(
    local_session: Any, kernel: Kernel, bare: str, cards: Cards
) -> None:
    """It is there before the children, as that of a single job; without items there is none."""
    kernel.install("tinylib")

    @batch(executable=bare)
    def look(number: int) -> Any:
        import tinylib

        return tinylib.__version__, number

    assert list(look.map([])) == []
    assert cards == []
    job = look.map(range(2))
    (card,) = cards
    said = [facts.message for facts in card.seen]

    assert said[0] == "sending tinylib, 1 of 1"
    assert "sent 1 of the kernel's libraries, 0.0 MB" in said
    assert {facts.id for facts in card.seen} == {job.id}
    assert list(job) == [("1.0", 0), ("1.0", 1)]


def test_cancel_on_the_card_of_an_array(
    local_session: Any, kernel: Kernel, bare: str, cards: Cards
) -> None:
    """Nothing is started, nothing is left, and the interruption says so."""
    kernel.install("tinylib")
    cards.cancelled = True

    @batch(executable=bare)
    def look(number: int) -> int:
        import tinylib

        return number + len(tinylib.__version__)

    with pytest.raises(KeyboardInterrupt, match="look was not started, and nothing of it is left"):
        look.map(range(2))
    store = local_session.backend.store

    assert cards[0].ended is not None
    assert cards[0].ended.outcome == "cancelled"
    assert not [key for key, _, _ in store.list("jobs/")]
