"""How many items a child gets, and that none of them is held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nbbatch.futures.array.chunks import Chunksize, chunked
from nbbatch.futures.array.taken import numbers, ranges


def sizes(
    count: int,
    chunksize: Chunksize,
    at_once: int | None,
    *,
    known: bool = True,
    enough: int | None = None,
) -> tuple[int, list[int]]:
    """Return the size of a chunk, and those of all that come."""
    every = enumerate(range(count))
    size, portions = chunked(every, count if known else None, chunksize, at_once, enough)
    found = list(portions)
    assert [index for portion in found for index, _ in portion] == list(range(count))
    return size, [len(portion) for portion in found]


@pytest.mark.parametrize("known", [True, False])
def test_as_many_as_asked_for(known: bool) -> None:
    """The last one may get fewer."""
    assert sizes(7, 3, 2, known=known) == (3, [3, 3, 1])
    assert sizes(0, 3, 2, known=known) == (3, [])


def test_one_each_until_there_are_very_many() -> None:
    """By what can run at a time, where that is known."""
    assert sizes(32, "auto", 2) == (1, [1] * 32)
    assert sizes(33, "auto", 2) == (2, [2] * 16 + [1])
    assert sizes(10_000, "auto", 2) == (313, [313] * 31 + [297])
    assert sizes(1000, "auto", None) == (1, [1] * 1000)
    assert sizes(10_000, "auto", None) == (10, [10] * 1000)
    assert sizes(0, "auto", None) == (1, [])


def test_a_generator_is_read_ahead_but_a_little() -> None:
    """Where it ends soon its items go one by one; else a hundred at a time."""
    assert sizes(32, "auto", 2, known=False) == (1, [1] * 32)
    assert sizes(350, "auto", 2, known=False) == (100, [100, 100, 100, 50])


def test_as_many_as_are_worth_a_child() -> None:
    """Yet as many run side by side as can; where nobody knows how many, a few dozen."""
    assert sizes(10, "auto", 2, enough=1000)[1] == [5, 5]
    assert sizes(10_000, "auto", 2, enough=100_000) == (5000, [5000, 5000])
    assert sizes(10_000, "auto", 2, enough=1000)[0] == 1000
    assert sizes(100, "auto", 2, enough=1)[0] == 1
    assert sizes(5000, "auto", None, enough=1)[0] == 1
    assert sizes(10_000, "auto", None, enough=30)[0] == 30
    assert sizes(10_000, "auto", None, enough=10**6)[0] == 313
    assert sizes(20, "auto", None, enough=30)[0] == 1
    assert sizes(10, "auto", 2, known=False, enough=1000)[1] == [5, 5]
    assert sizes(350, "auto", 2, known=False, enough=1000)[0] == 100
    assert sizes(350, "auto", 2, known=False, enough=1)[0] == 1
    assert sizes(0, "auto", 2, enough=5) == (1, [])
    assert sizes(7, 3, 2, enough=1000)[0] == 3


def test_an_endless_generator_is_read_as_far_as_it_is_used() -> None:
    """What was given away is not held."""
    read = 0

    class Thing:
        live = 0

        def __init__(self) -> None:
            Thing.live += 1

        def __del__(self) -> None:
            Thing.live -= 1

    def things() -> Iterator[Any]:
        nonlocal read
        while True:
            read += 1
            yield Thing()

    size, portions = chunked(enumerate(things()), None, "auto", 2)
    assert (size, read) == (100, 33)
    for _ in range(5):
        assert len(next(portions)) == 100
        # What `enumerate` itself has given last.
        assert Thing.live <= 1
    assert read == 500


def test_ranges() -> None:
    """What is written is what is read."""
    for each in ([3], [0, 1, 2], [1, 3, 4, 5, 9], list(range(0, 20, 2))):
        assert list(numbers(ranges(each))) == each
    assert ranges([1, 3, 4, 5, 9]) == "1,3-5,9"
