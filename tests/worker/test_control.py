"""The pipe between child and monitor, interrupted wherever it hurts."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nbbatch.worker.run.control import Reader, Writer


class Interrupted(Exception):
    """Raised by a signal's handler."""


@pytest.fixture
def pipe() -> Iterator[tuple[Writer, list[dict[str, Any]]]]:
    """Give a writer, and the messages that a slow reader has understood."""
    source, target = os.pipe()
    reader, found = Reader(), []

    def read() -> None:
        while data := os.read(source, 10_000):
            found.extend(reader.feed(data))
            time.sleep(0.0002)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    writer = Writer(target)

    class Ending(list[dict[str, Any]]):
        def __iter__(self) -> Iterator[dict[str, Any]]:
            os.close(target)
            thread.join()
            return iter(found)

    yield writer, Ending()
    os.close(source)


def every_millisecond(handler: Any) -> None:
    """Interrupt the main thread again and again."""
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """Leave no timer behind."""
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


LARGE = {"kind": "large", "text": "x" * 200_000}


def test_a_handler_that_writes(pipe: tuple[Writer, list[dict[str, Any]]]) -> None:
    """What a handler writes in the middle of a message is whole, and so is the message."""
    write, messages = pipe
    written = []

    def ring(*_: Any) -> None:
        written.append(len(written))
        write({"kind": "small", "number": written[-1]})

    every_millisecond(ring)
    for _ in range(50):
        write(LARGE)
    signal.setitimer(signal.ITIMER_REAL, 0)
    write({"kind": "end"})
    found = list(messages)
    assert [item for item in found if item["kind"] == "large"] == [LARGE] * 50
    # The handler may itself be interrupted, before it writes: not always in order.
    assert sorted(item["number"] for item in found if item["kind"] == "small") == written
    assert len(written) > 5


def test_a_handler_that_raises(pipe: tuple[Writer, list[dict[str, Any]]]) -> None:
    """A message that is cut off is lost; every other one arrives, and no half of one."""
    write, messages = pipe
    armed, sent, cut = False, 0, 0

    def ring(*_: Any) -> None:
        nonlocal armed
        if armed:
            # Once: the next ring may come before anybody has taken note of this one.
            armed = False
            raise Interrupted

    every_millisecond(ring)
    for number in range(50):
        try:
            armed = True
            write(LARGE)
            armed = False
            sent += 1
        except Interrupted:
            cut += 1
        write({"kind": "small", "number": number})
    signal.setitimer(signal.ITIMER_REAL, 0)
    found = list(messages)
    assert [item["number"] for item in found if item["kind"] == "small"] == list(range(50))
    assert all(item == LARGE for item in found if item["kind"] == "large")
    assert sent <= sum(item["kind"] == "large" for item in found) <= 50
    assert cut > 5


def test_any_pieces() -> None:
    """However the bytes are cut, the messages are the same; half a surrogate pair is mended."""
    messages = [{"kind": "a"}, {"kind": "b", "text": "line\nbreak é 😀"}, {"kind": "c", "t": 1.5}]
    data = b"".join(json.dumps(item).encode() + b"\n" for item in messages)
    for size in range(1, len(data) + 1):
        reader = Reader()
        pieces = (data[at : at + size] for at in range(0, len(data), size))
        assert [item for piece in pieces for item in reader.feed(piece)] == messages
    (mended,) = Reader().feed(json.dumps({"text": "a\ud800b"}).encode() + b"\n")
    assert mended == {"text": "a?b"}
