"""What comes next is read while what came before is in use."""

from __future__ import annotations

import threading

import pytest

from nbbatch.futures.array.ahead import Ahead


def test_what_follows_is_read_beforehand() -> None:
    """Once each, in threads of their own; what is not asked for after all is dropped."""
    read: list[tuple[int, bool]] = []
    asked = threading.Condition()

    def fetch(number: int) -> str:
        with asked:
            read.append((number, threading.current_thread() is threading.main_thread()))
            asked.notify_all()
        return f"value {number}"

    ahead = Ahead(fetch)
    assert ahead.take(0, [1, 2]) == "value 0"
    with asked:
        assert asked.wait_for(lambda: len(read) == 3, 60)
    assert sorted(read) == [(0, True), (1, False), (2, False)]
    assert ahead.take(1, [2]) == "value 1"
    assert ahead.take(2) == "value 2"
    assert len(read) == 3
    assert ahead.take(7, [8]) == "value 7"
    assert ahead.take(0) == "value 0"
    assert ahead.take(8) == "value 8"
    with asked:
        assert asked.wait_for(lambda: len(read) == 7, 60)
    assert sorted(number for number, _ in read) == [0, 0, 1, 2, 7, 8, 8]


def test_what_can_not_be_read_says_so_where_it_is_asked_for() -> None:
    """And only there."""

    def fetch(number: int) -> int:
        if number == 1:
            raise ValueError("gone")
        return number

    ahead = Ahead(fetch)
    assert ahead.take(0, [1, 2]) == 0
    with pytest.raises(ValueError, match="gone"):
        ahead.take(1, [2])
    assert ahead.take(2) == 2
