"""What the card and the page say to each other, without a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

from nbbatch.widgets import door
from nbbatch.widgets.card import ENDED_LOGS, CardView
from nbbatch.widgets.log.pending import FLOOD_LINES
from tests.widgets.jobs import HandPump, ended, running, waiting


class Handle:
    """The place of an output."""

    def __init__(self) -> None:
        self.shown: list[tuple[Any, dict[str, Any]]] = []

    def update(self, obj: Any, **kwargs: Any) -> None:
        """Note what is shown in its place."""
        self.shown.append((obj, kwargs))


class Desk:
    """A card whose messages are kept, whose pump ticks by hand."""

    def __init__(self, sent: list[dict[str, Any]], **options: Any) -> None:
        self.sent = sent
        self.asked: list[str] = []
        self.handle = Handle()
        self.pump = HandPump()
        self.view = CardView(
            waiting(),
            cancel=lambda: self.asked.append("cancel"),
            display=lambda widget, display_id: self.handle,
            pump=self.pump,  # type: ignore[arg-type]
            **options,
        )

    def click(self, what: object) -> None:
        """Send what the page sends on a click."""
        data = {"method": "custom", "content": what}
        self.view.widget.comm.handle_msg({"content": {"data": data}, "buffers": []})

    def tick(self) -> list[dict[str, Any]]:
        """Return what one tick sends."""
        before = len(self.sent)
        self.pump.tick()
        return self.sent[before:]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    """Make cards on a comm that keeps what is published."""
    sent: list[dict[str, Any]] = []

    class KeepingComm(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, **kwargs: Any) -> None:
            sent.append({"type": msg_type, **(data or {})})

    monkeypatch.setattr(comm, "create_comm", KeepingComm)
    # The tail is told with the first tick, and not again while a test runs, however slowly.
    monkeypatch.setattr("nbbatch.widgets.card.TAIL_SECONDS", 100.0)
    return lambda **options: Desk(sent, **options)


def test_a_second_of_output_is_a_few_messages(desk: Callable[..., Desk]) -> None:
    """Between two ticks, any number of writes and updates are one message and one update."""
    card = desk()
    card.tick()
    for n in range(10_000):
        card.view.write("stdout", f"line {n}\n")
        card.view.update(running())

    custom, update = card.tick()

    assert custom["content"]["kind"] == "log"
    assert custom["content"]["seq"] == 1
    assert custom["content"]["fresh"]
    assert custom["content"]["first"] == 10_000 - FLOOD_LINES
    assert custom["content"]["parts"][0][1].endswith("line 9999\n")
    assert {"card", "left"} <= set(update["state"]) <= {"card", "left", "tail"}
    assert update["state"]["card"]["word"] == "Running"
    assert card.tick() == []


def test_the_page_can_start_again_from_the_tail(desk: Callable[..., Desk]) -> None:
    """The tail trait names the last message that it contains, and all lines so far."""
    card = desk()
    card.view.write("stdout", "x\n" * 500 + "open")
    card.tick()

    tail = card.view.widget.tail

    assert (tail["seq"], tail["count"]) == (1, 500)
    assert tail["lines"] == [["stdout", "x"]] * 200
    assert tail["begun"] == [["stdout", "open"]]


@pytest.mark.parametrize(
    ("clicks", "asked"),
    [
        (["cancel", "cancel", "detach"], ["cancel"]),
        (["detach", "detach", "cancel", "cancel"], ["detach", "cancel"]),
    ],
)
def test_a_click_asks_once_and_is_answered(
    desk: Callable[..., Desk], clicks: list[str], asked: list[str]
) -> None:
    """Each click counts once, though it may come on two ways; the next tick answers it."""
    card = desk(detach=lambda: card.asked.append("detach"))
    for kind in clicks:
        card.click({"ask": kind})
    sent = card.tick()

    assert card.asked == asked
    assert sent[-1]["state"]["asked"] == asked[-1]


@pytest.mark.parametrize("message", [None, "cancel", {}, {"ask": 1}, {"ask": "detach"}, []])
def test_other_messages_do_nothing(desk: Callable[..., Desk], message: object) -> None:
    """Neither nonsense nor what this card does not offer calls anything."""
    card = desk()
    card.tick()
    card.click(message)

    assert card.asked == []
    assert card.tick() == []


def test_the_end_leaves_plain_text_in_the_place(desk: Callable[..., Desk]) -> None:
    """The page may not interrupt any more, then the output is replaced, then the comm ends."""
    card = desk(blocking=True)
    opened = len(card.sent)
    card.view.write("stderr", "last words\n")
    card.view.finish(ended())
    card.view.finish(ended())
    card.view.update(running())
    card.view.write("stdout", "late\n")
    (shown, options), *more = card.handle.shown
    states = [list(message.get("state", {})) for message in card.sent[opened:]]

    assert options == {"raw": True}
    assert sorted(shown) == ["text/html", "text/plain"]
    assert "last words" in shown["text/html"]
    assert more == []
    assert states[0] == ["blocking"]
    assert card.sent[-1]["type"] == "comm_close"
    assert card.pump.views == []


def test_a_card_that_is_watched_ends_when_its_view_goes(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that can't replace its output shows the end; its last view frees the card."""
    monkeypatch.setattr(door, "attended", lambda: True)
    card = desk()
    card.click({"ask": "close"})
    card.view.write("stdout", "last words\n")
    card.view.finish(ended())
    *_, last, left = card.sent
    card.click({"ask": "close"})

    assert last["state"]["card"]["done"]
    assert last["state"]["tail"]["lines"] == [["stdout", "last words"]]
    assert left["state"]["left"]["final"]
    assert "last words" in left["state"]["left"]["data"]["text/html"]
    assert card.sent[-1]["type"] == "comm_close"


def test_the_end_can_leave_the_log_out(desk: Callable[..., Desk]) -> None:
    """Where ordinary outputs follow, the folded card has no log."""
    card = desk()
    card.view.write("stdout", "said elsewhere\n")
    card.view.finish(ended(), log_tail=False)

    assert "said elsewhere" not in card.handle.shown[0][0]["text/html"]


def test_a_released_card_may_not_interrupt(desk: Callable[..., Desk]) -> None:
    """Once no cell waits, the page is told so at once, and the card stays live."""
    card = desk(blocking=True)
    card.view.release()

    assert card.sent[-1]["state"] == {"blocking": False}
    assert card.pump.views == [card.view]


def test_the_live_output_has_a_stand_in(desk: Callable[..., Desk]) -> None:
    """Beside the widget there is HTML and text for a reader without its kernel."""
    data, _ = desk().view.widget._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in data
    assert "its live card needs the kernel" in data["text/html"]
    assert data["text/plain"].startswith("train · submitted at ")


def test_writers_and_the_end_may_meet(desk: Callable[..., Desk]) -> None:
    """Threads that write while the card ends neither fail nor send after the close."""
    card = desk()

    def write() -> None:
        for n in range(2000):
            card.view.write("stdout", f"{n}\n")
            card.view.update(running())
            if n % 50 == 0:
                card.view.tick()

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write) for _ in range(4)]
        card.view.finish(ended())

    assert [writer.exception() for writer in writers] == [None] * 4
    assert card.sent[-1]["type"] == "comm_close"


def test_clicks_through_the_door_find_their_card(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waiting cell takes clicks for every card of the process, and skips what is none."""
    mine, other = desk(blocking=True), desk(blocking=True)
    texts = [
        "",
        "typed by a person",
        "{}",
        '{"nbbatch": {"key": "unknown", "ask": "cancel"}}',
        f'{{"nbbatch": {{"key": "{other.view.widget.key}", "ask": "cancel"}}}}',
    ]
    waiting_texts = iter(texts)
    monkeypatch.setattr(door, "answers", lambda: next(waiting_texts, None))
    mine.view.poll()

    assert (mine.asked, other.asked) == ([], ["cancel"])


@pytest.mark.parametrize("blocked", [True, False])
def test_a_question_that_came_on_both_ways_is_answered_once(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, blocked: bool
) -> None:
    """About the log, while a cell waits and when none does; a later one is another question."""
    card = desk(blocking=blocked)
    card.view.write("stdout", "one\ntwo\nthree\n")
    card.tick()
    before = len(card.sent)
    for id_ in ("a", "b"):
        message = {"ask": "lines", "id": id_, "first": 1, "count": 1}
        text = json.dumps({"nbbatch": {"key": card.view.widget.key, **message}})
        waiting_texts = iter([text] if blocked else [])
        monkeypatch.setattr(door, "answers", lambda: next(waiting_texts, None))
        card.view.poll()
        card.click(message)
        card.click(message)
    answers = [message["content"] for message in card.sent[before:]]

    assert [(said["id"], said["parts"]) for said in answers] == [
        ("a", (("stdout", "two\n"),)),
        ("b", (("stdout", "two\n"),)),
    ]


def test_the_card_of_an_ended_job_answers(
    desk: Callable[..., Desk],
) -> None:
    """Opened again and fed the whole story, it is as it was."""
    card = desk()
    card.view.update(ended())
    card.view.write("stdout", "all of it\n")
    card.tick()
    card.click({"ask": "download", "id": "a", "at": 0})
    told = card.sent[-1]["content"]

    assert (told["kind"], told["end"], told["of"]) == ("file", True, 10)


def test_only_some_ended_cards_keep_their_log(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a file that the process holds open, for pages that may be gone."""
    monkeypatch.setattr(door, "attended", lambda: True)
    cards = [desk() for _ in range(ENDED_LOGS + 1)]
    for card in cards:
        card.view.write("stdout", "a\n")
        card.view.finish(ended())
    for card in cards:
        card.click({"ask": "download", "id": "a", "at": 0})
    told = [m["content"] for m in cards[0].sent if m.get("content", {}).get("kind") == "file"]

    assert ["error" in said for said in told] == [True] + [False] * ENDED_LOGS


def test_outside_a_kernel_there_is_no_door() -> None:
    """Where nothing can be read, nothing is."""
    assert door.answers() is None
