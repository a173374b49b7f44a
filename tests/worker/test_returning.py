"""When an executor's worker sends what came of its calls."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from nbbatch.worker.run.returning import Returning


def eventually(look: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Sent:
    """Keeps what is sent; the first `refused` times the store is away."""

    def __init__(self, refused: int = 0) -> None:
        self.all: list[tuple[int, int, list[str]]] = []
        self._refused = refused

    def __call__(self, number: int, upto: int, ended: Sequence[str]) -> None:
        if self._refused:
            self._refused -= 1
            raise OSError("away")
        self.all.append((number, upto, list(ended)))


def begun(sent: Sent, interval: float) -> Returning:
    returning = Returning(sent, interval)
    returning.begin()
    return returning


def test_short_calls_go_together() -> None:
    """The last one's result takes along all that are held."""
    sent = Sent()
    returning = begun(sent, 3600)
    for upto in (1, 2, 3):
        returning.add(7, upto, str(upto), last=upto == 3)

    assert sent.all == [(7, 3, ["1", "2", "3"])]
    returning._wake.set()


def test_a_long_call_holds_nothing_up() -> None:
    """What is held goes while nothing else ends; then there is no thread any more."""
    sent = Sent()
    returning = begun(sent, 0.05)
    returning.add(0, 1, "a", last=False)
    eventually(lambda: sent.all)
    eventually(lambda: returning._thread is None)
    returning.add(0, 2, "b", last=True)

    assert sent.all == [(0, 1, ["a"]), (0, 2, ["b"])]


def test_what_is_not_taken_goes_with_the_next() -> None:
    """A store that is away for a moment costs no result."""
    sent = Sent(refused=1)
    returning = begun(sent, 0.2)
    returning.add(0, 1, "a", last=False)
    eventually(lambda: returning._thread is None)
    assert sent.all == []
    returning.add(0, 2, "b", last=True)

    assert sent.all == [(0, 2, ["a", "b"])]


def test_a_fork_finds_no_thread() -> None:
    """What was held is sent before."""
    sent = Sent()
    returning = begun(sent, 3600)
    returning.add(0, 1, "a", last=False)
    thread = returning._thread
    assert thread is not None
    child = os.fork()
    if not child:
        os._exit(len(sent.all))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert not thread.is_alive()
