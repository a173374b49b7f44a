"""What the monitor and its page say to each other, without a page."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

from nbbatch.errors import BackendError
from nbbatch.facts import JobFacts
from nbbatch.widgets import door
from nbbatch.widgets.monitor import view as module
from nbbatch.widgets.monitor.presence import Presence
from nbbatch.widgets.monitor.view import MonitorView
from tests.widgets.jobs import HandPump, ended, running, waiting


class Jobs:
    """Jobs that a test changes."""

    def __init__(self, found: list[JobFacts]) -> None:
        self.found = found
        self.open_count = 0
        self.cancelled: list[list[str]] = []
        self.errors: dict[str, BackendError] = {}
        self.trouble = ""
        self.older = 0
        self.wanted_more = 0
        self.put_out: dict[str, list[dict[str, Any]]] = {}

    def open(self) -> None:
        self.open_count += 1

    def close(self) -> None:
        self.open_count -= 1

    def more(self) -> None:
        self.wanted_more += 1

    def facts(self) -> list[JobFacts]:
        return list(self.found)

    def cancel(self, ids: Collection[str]) -> dict[str, BackendError]:
        self.cancelled.append(list(ids))
        return self.errors

    def outputs(self, id_: str) -> list[dict[str, Any]]:
        return self.put_out.get(id_, [])


class Handle:
    """The place of an output."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []

    def update(self, obj: Any, **kwargs: Any) -> None:
        self.shown.append(obj)


class Desk:
    """A monitor whose messages are kept, whose pump ticks by hand, whose clock stands still."""

    def __init__(self, sent: list[dict[str, Any]], found: list[JobFacts], all: bool) -> None:
        self.sent = sent
        self.mine, self.every = Jobs(found), Jobs([waiting(id="other", name="other"), *found])
        self.pump, self.handle = HandPump(), Handle()
        self.now = 1000.0
        self.free: list[Callable[[], None]] = []
        self.cards: list[tuple[str, Callable[..., Any]]] = []
        self.ended: list[str] = []
        self.bundle: dict[str, Any] = {}
        self.view = MonitorView(
            lambda every: self.every if every else self.mine,
            self._card,
            all=all,
            display=self._display,
            presence=Presence(self.free.append, lambda: self.now),
            pump=self.pump,  # type: ignore[arg-type]
        )

    def _card(self, id_: str, display: Callable[..., Any]) -> Callable[[], None]:
        self.cards.append((id_, display))
        return lambda: self.ended.append(id_)

    def _display(self, bundle: dict[str, Any]) -> Handle:
        self.bundle = bundle
        return self.handle

    def say(self, ask: str, **more: Any) -> dict[str, Any] | None:
        """Send what the page sends, and return the answer."""
        id_ = f"id-{len(self.sent)}-{time.monotonic_ns()}"
        data = {"method": "custom", "content": {"ask": ask, "id": id_, **more}}
        self.view.widget.comm.handle_msg({"content": {"data": data}, "buffers": []})
        for thread in threading.enumerate():
            if thread.name == "nbbatch-ask":
                thread.join(60)
        answers = [m["content"] for m in self.sent if m.get("method") == "custom"]
        return next((a for a in answers if a.get("id") == id_), None)

    def tick(self) -> list[dict[str, Any]]:
        """Return the rows' messages of one tick."""
        before = len(self.sent)
        self.view._next = 0.0
        self.pump.tick()
        contents = [m["content"] for m in self.sent[before:] if m.get("method") == "custom"]
        return [content for content in contents if content["kind"] == "rows"]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    """Make monitors on comms that keep what is published."""
    sent: list[dict[str, Any]] = []

    class KeepingComm(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, **kwargs: Any) -> None:
            sent.append({"type": msg_type, **(data or {})})

    monkeypatch.setattr(comm, "create_comm", KeepingComm)

    def make(*found: JobFacts, all: bool = False) -> Desk:
        return Desk(sent, list(found), all)

    return make


def test_all_rows_first_then_only_what_changes(desk: Callable[..., Desk]) -> None:
    """The first message has everything, the next the changed rows, and nothing is said twice."""
    table = desk(waiting(id="a", name="first"), waiting(id="b"))
    (first,) = table.tick()
    assert (first["whole"], first["first"], first["seq"]) == (True, True, 1)
    assert [row["name"] for row in first["rows"]] == ["first", "train"]
    assert table.tick() == []

    table.mine.found[1] = running(id="b")
    (second,) = table.tick()
    assert (second["whole"], second["first"], second["seq"]) == (False, False, 2)
    assert [(row["id"], row["word"]) for row in second["rows"]] == [("b", "Running")]

    del table.mine.found[0]
    (third,) = table.tick()
    assert (third["rows"], third["gone"]) == ([], ["a"])


def test_many_changes_between_two_ticks_are_one_message(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ticks the pump makes, a page is told at most four times a second."""
    table = desk(*(running(id=str(n)) for n in range(200)))
    table.tick()
    table.view._next = 0.0
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    before = len(table.sent)
    for tick in range(30):
        now[0] = tick / 10
        table.mine.found = [running(id=str(n), attempt=tick) for n in range(200)]
        table.pump.tick()
    rows = [m for m in table.sent[before:] if m.get("content", {}).get("kind") == "rows"]

    assert 5 <= len(rows) <= 12


def test_a_page_that_missed_something_gets_everything(desk: Callable[..., Desk]) -> None:
    """A page tells what it has; one that has the newest is left alone."""
    table = desk(waiting(id="a"))
    (first,) = table.tick()
    table.say("look", seq=first["seq"])
    assert table.tick() == []
    table.say("look", seq=0)
    (again,) = table.tick()

    assert (again["whole"], again["first"], again["seq"]) == (True, False, 2)


def test_nobody_looks_and_nothing_is_asked(desk: Callable[..., Desk]) -> None:
    """The last view closes: the jobs are closed and the pump rests, until a page comes back."""
    table = desk(waiting(id="a"))
    assert table.mine.open_count == 1
    table.say("gone")
    assert (table.mine.open_count, table.pump.views) == (0, [])
    table.say("look", seq=0)

    assert table.mine.open_count == 1
    assert table.tick()[0]["rows"][0]["id"] == "a"


def test_a_page_that_falls_silent_is_gone(desk: Callable[..., Desk]) -> None:
    """Silence counts from when the kernel was free to hear: a busy one goes on."""
    table = desk(waiting(id="a"))
    table.tick()
    table.now += 3600
    table.tick()
    table.tick()
    assert (table.mine.open_count, len(table.free)) == (1, 1)
    table.free[0]()
    table.tick()
    assert table.mine.open_count == 1
    table.now += 11
    table.tick()

    assert table.mine.open_count == 0


def test_a_page_that_is_heard_stays(desk: Callable[..., Desk]) -> None:
    """A sign of life that waited behind a long cell counts."""
    table = desk(waiting(id="a"))
    table.tick()
    table.now += 3600
    table.tick()
    table.say("look", seq=1)
    table.free[0]()
    table.now += 11
    table.tick()

    assert table.mine.open_count == 1


def test_several_are_cancelled_with_one_request(desk: Callable[..., Desk]) -> None:
    """The rows say so at once; an error is said in its row and gone with the job's end."""
    table = desk(running(id="a"), running(id="b"))
    table.tick()
    table.mine.errors = {"b": BackendError("not stopped", "denied", "ask your admin")}
    answer = table.say("cancel", jobs=["a", "b"])
    (message,) = table.tick()

    assert table.mine.cancelled == [["a", "b"]]
    assert answer == {"kind": "done", "id": answer["id"], "error": ""}
    notes = {row["id"]: row["note"] for row in message["rows"]}
    assert notes["a"] == "cancelling…"
    assert notes["b"].startswith("not cancelled: not stopped")
    table.mine.found = [ended(id="a"), ended(id="b")]
    assert {row["note"] for row in table.tick()[0]["rows"]} == {""}


def test_a_click_on_both_ways_counts_once(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes as a comm message and through the door is one request."""
    table = desk(running(id="a"))
    message = {"ask": "cancel", "id": "once", "jobs": ["a"], "key": table.view.widget.key}
    waiting_texts = iter([json.dumps({"nbbatch": message})])
    monkeypatch.setattr(door, "answers", lambda: next(waiting_texts, None))
    door.serve()
    table.say("cancel", id="once", jobs=["a"])

    assert table.mine.cancelled == [["a"]]


@pytest.mark.parametrize("message", [None, "cancel", {}, {"ask": 1}, {"ask": "nonsense"}, []])
def test_other_messages_do_nothing(desk: Callable[..., Desk], message: object) -> None:
    """Nonsense calls nothing, and answers nothing."""
    table = desk(running(id="a"))
    table.tick()
    data = {"method": "custom", "content": message}
    table.view.widget.comm.handle_msg({"content": {"data": data}, "buffers": []})

    assert table.tick() == []
    assert table.mine.cancelled == []


def test_what_goes_wrong_is_said(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An action that fails is answered with why."""
    table = desk(running(id="a"))

    def fail(id_: str) -> None:
        raise BackendError("can't read the story", "no network", "try again")

    monkeypatch.setattr(table.mine, "outputs", fail)
    answer = table.say("outputs", jobs=["a"], saved=True)

    assert answer is not None
    assert answer["error"].startswith("can't read the story")


def test_all_of_the_users_jobs_and_back(desk: Callable[..., Desk]) -> None:
    """Another scope is another set of jobs: the one is closed and the other opened."""
    table = desk(waiting(id="a"))
    table.tick()
    table.say("all", all=True)
    (message,) = table.tick()
    assert (table.mine.open_count, table.every.open_count) == (0, 1)
    assert message["whole"]
    assert message["head"]["all"]
    assert [row["id"] for row in message["rows"]] == ["other", "a"]
    table.say("older")

    assert table.every.wanted_more == 1


def test_a_card_opens_once_and_closes(desk: Callable[..., Desk]) -> None:
    """Its card stands in the box below the table, until its button or the monitor's is clicked."""
    table = desk(running(id="a"), ended(id="b"))
    table.say("card", jobs=["a", "a", "b", "unknown"])
    shelf = table.view._shelf.box
    assert [id_ for id_, _ in table.cards] == ["a", "b"]
    assert len(shelf.children) == 2
    first, second = shelf.children
    first.children[0].children[0].click()
    assert table.ended == ["a"]
    # The other one stays where it is: a page would draw it anew elsewhere.
    assert shelf.children == (first, second)
    assert first.children == ()
    table.say("card", jobs=["a"])
    assert shelf.children[:2] == (first, second)
    shelf.children[2].children[0].children[0].click()
    second.children[0].children[0].click()
    assert shelf.children == ()
    table.say("card", jobs=["b"])
    table.view.close()

    assert table.ended == ["a", "a", "b", "b"]


def test_outputs_that_can_not_be_painted_stand_below(desk: Callable[..., Desk]) -> None:
    """Without a cell that still takes them, a box shows them, headed by whose they are."""
    table = desk(ended(id="a"))
    table.mine.put_out = {"a": [{"output_type": "stream", "name": "stdout", "text": "said\n"}]}
    table.say("outputs", jobs=["a"], saved=False)
    table.say("outputs", jobs=["a"], saved=False)
    (item,) = table.view._shelf.box.children
    shown = item.children[1].outputs

    assert [output["text"] for output in shown] == ["── outputs of train (a)\n", "said\n"]


def test_the_end_is_a_plain_table(desk: Callable[..., Desk]) -> None:
    """Close leaves HTML and text in the place, closes the jobs and the comm, once."""
    table = desk(running(id="a"), ended(id="b"))
    assert {"text/html", "text/plain"} < set(table.bundle)
    table.say("close")
    table.view.close()
    (left,) = table.handle.shown

    assert sorted(left) == ["text/html", "text/plain"]
    assert "Running" in left["text/html"]
    assert (table.mine.open_count, table.pump.views) == (0, [])
    assert table.sent[-1]["type"] == "comm_close"
    assert table.tick() == []


def test_a_job_s_parts_are_sent_when_they_are_looked_at(desk: Callable[..., Desk]) -> None:
    """Nobody pays for the nodes of a job that is folded."""
    table = desk(running(id="a"))
    assert table.tick()[0]["rows"][0]["parts"] is None
    table.say("parts", job="a", open=True)
    (message,) = table.tick()

    assert [row["id"] for row in message["rows"]] == ["a"]


def test_clicks_and_ticks_may_meet(desk: Callable[..., Desk]) -> None:
    """Rows keep their numbers in order while pages ask and jobs change."""
    table = desk(*(running(id=str(n)) for n in range(20)))
    stop = threading.Event()

    def change() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            table.mine.found[n % 20] = dataclasses.replace(table.mine.found[n % 20], attempt=n)

    changer = threading.Thread(target=change)
    changer.start()
    for n in range(30):
        table.tick()
        table.say("look", seq=0 if n % 7 == 0 else table.view._changes.seq)
    stop.set()
    changer.join()
    contents = [m["content"] for m in table.sent if m.get("method") == "custom"]
    numbers = [content["seq"] for content in contents if content["kind"] == "rows"]

    assert numbers == list(range(1, len(numbers) + 1))
