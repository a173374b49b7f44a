"""When an executor's worker sends what came of its calls."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from nbbatch.worker.run import returning as module
from nbbatch.worker.run.returning import Returning


def eventually(look: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Sent:
    """Keeps what is sent, and what is left to others; at first the store is away."""

    def __init__(self, refused: int = 0) -> None:
        self.all: list[tuple[int, int, list[str]]] = []
        self.left: list[tuple[int, int]] = []
        self._refused = refused

    def send(self, number: int, upto: int, ended: Sequence[str]) -> None:
        self._take()
        self.all.append((number, upto, list(ended)))

    def leave(self, number: int, upto: int) -> None:
        self._take()
        self.left.append((number, upto))

    def _take(self) -> None:
        if self._refused:
            self._refused -= 1
            raise OSError("away")


def begun(sent: Sent, interval: float, count: int, patience: float = 3600.0) -> Returning:
    """Give a `Returning` that is about to take what comes of `count` calls, number 7."""
    returning = Returning(sent.send, sent.leave, interval, patience)
    returning.begin(7, 0, count)
    return returning


def test_short_calls_go_together() -> None:
    """The last one's result takes along all that are held; there is no thread any more."""
    sent = Sent()
    returning = begun(sent, 3600, 3)

    assert [returning.add(n) for n in "123"] == [True, True, False]
    assert (sent.all, sent.left) == ([(7, 3, ["1", "2", "3"])], [])
    assert returning._thread is None


def test_one_call_needs_no_thread() -> None:
    """Nothing is held, and nothing waits behind it."""
    sent = Sent()
    returning = begun(sent, 3600, 1)

    assert returning._thread is None
    assert not returning.add("a")
    assert sent.all == [(7, 1, ["a"])]


def test_a_long_call_holds_nothing_up() -> None:
    """What is held goes while nothing else ends; then there is no thread any more."""
    sent = Sent()
    returning = begun(sent, 0.02, 2)
    returning.add("a")
    eventually(lambda: sent.all)
    eventually(lambda: returning._thread is None)

    assert not returning.add("b")
    assert sent.all == [(7, 1, ["a"]), (7, 2, ["b"])]


def test_what_is_behind_a_long_call_is_given_back() -> None:
    """It is made here no more, and the next calls are taken as ever."""
    sent = Sent()
    returning = begun(sent, 0.01, 5, patience=0.05)
    eventually(lambda: sent.left)
    eventually(lambda: returning._thread is None)

    assert not returning.add("a")
    assert (sent.all, sent.left) == ([(7, 1, ["a"])], [(7, 1)])
    returning.begin(8, 2, 3)
    assert not returning.add("b")
    assert sent.all[1:] == [(8, 3, ["b"])]


def test_what_is_given_back_is_never_made_here() -> None:
    """Though the store did not say that it has taken it: perhaps it has."""
    sent = Sent(refused=1)
    returning = begun(sent, 0.01, 3, patience=0.0)
    eventually(lambda: sent.left)

    assert sent.left == [(7, 1)]
    assert not returning.add("a")


@pytest.mark.parametrize("interval", [0.0, 0.02])
def test_what_is_not_taken_goes_later(interval: float) -> None:
    """A store that is away for a moment costs no result, whoever finds it so."""
    sent = Sent(refused=1)
    returning = begun(sent, interval, 3)
    returning.add("a")
    eventually(lambda: sent.all)

    assert sent.all == [(7, 1, ["a"])]
    returning.add("b")
    returning.add("c")


def test_a_fork_finds_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one again afterwards, for what is left to do."""
    monkeypatch.setattr(module, "_FORK", 60.0)
    sent = Sent()
    returning = begun(sent, 3600, 2)
    returning.add("a")
    thread = returning._thread
    assert thread is not None
    child = os.fork()
    if not child:
        os._exit(threading.active_count())

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert not thread.is_alive()
    assert returning._thread is not None
    returning.add("b")
    assert sent.all == [(7, 2, ["a", "b"])]
