"""The log on disk: every window of it equals what a plain model says, whatever came in whatever
pieces."""

from __future__ import annotations

import re
import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatch.widgets.log import spool as spools
from nbbatch.widgets.log.answers import answer
from nbbatch.widgets.log.find import find, window
from nbbatch.widgets.log.spool import Lost, Spool
from nbbatch.widgets.log.text import Line, shown

#: Pieces that a job may print, cut anywhere.
TEXT = st.lists(
    st.sampled_from(
        ["a", "Bc", "\n", "\n", "\r", "\x1b[31m", "\x1b[0m", "\x1b[1", "m", "\x1b[K", "é", "😀", ""]
    ),
    max_size=12,
).map("".join)
PARTS = st.lists(st.tuples(st.sampled_from(["stdout", "stderr", "other"]), TEXT), max_size=20)


def spooled(parts: list[Line]) -> Spool:
    """Return a spool that took the parts."""
    spool = Spool()
    for name, text in parts:
        assert spool.append(name, text) == text.count("\n")
    return spool


def model(parts: list[Line]) -> list[Line]:
    """Return the lines in the order in which they were finished."""
    begun: dict[str, str] = {}
    lines = []
    for name, text in parts:
        *done, begun[name] = (begun.get(name, "") + text).split("\n")
        lines += [(name, line) for line in done]
    return lines


def lines(parts: tuple[Line, ...]) -> list[Line]:
    """Return the shown lines of a window."""
    return [(name, shown(line)) for name, text in parts for line in text.split("\n")[:-1]]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make everything small, so that little text has many records, entries and blocks."""
    for name, value in {"STRIDE": 40, "ENTRIES": 4, "MEMORY": 100, "RECORD_CHARS": 7}.items():
        monkeypatch.setattr(spools, name, value)
    monkeypatch.setattr(spools, "BLOCK", 64)


@settings(max_examples=300, deadline=None)
@given(parts=PARTS, first=st.integers(0, 30), count=st.integers(0, 30))
def test_every_window_is_what_a_plain_model_says(parts: list[Line], first: int, count: int) -> None:
    """Lines are numbered in the order of their newlines, and read as they came."""
    spool = spooled(parts)
    expected = model(parts)[first : first + count]
    found = window(spool, first, count)

    assert lines(found.parts) == [(name, shown(line)) for name, line in expected]
    assert found.count == len(expected)
    assert spool.lines == len(model(parts))


@settings(max_examples=200, deadline=None)
@given(parts=PARTS)
def test_the_file_is_the_text_byte_for_byte(parts: list[Line]) -> None:
    """Read piece by piece, nothing is missing and nothing is added."""
    spool = spooled(parts)
    at, end, data = 0, False, b""
    while not end:
        piece, at, end = spool.raw(at)
        data += piece

    assert data == "".join(text for _, text in parts).encode()
    assert spool.size == len(data)


@settings(max_examples=200, deadline=None)
@given(parts=PARTS, text=st.sampled_from(["a", "bc", "aa", "é", "aB", "zz"]), case=st.booleans())
def test_search_finds_the_lines_that_show_a_text(parts: list[Line], text: str, case: bool) -> None:
    """However often it stops and goes on."""
    spool = spooled(parts)
    fold = str if case else str.lower
    expected = [n for n, (_, line) in enumerate(model(parts)) if fold(text) in fold(shown(line))]
    at: int | None = 0
    found: list[int] = []
    while at is not None:
        part = find(spool, text, case=case, first=at, limit=2, seconds=0)
        found += part.lines
        assert part.next is None or part.next > at
        at = part.next

    assert found == expected


@settings(max_examples=200, deadline=None)
@given(parts=PARTS, first=st.integers(0, 30))
def test_a_window_begins_in_the_style_that_holds_there(parts: list[Line], first: int) -> None:
    """Red stays red, though the window begins behind where it was said."""

    def red(name: str, upto: int) -> bool:
        said = "\n".join(line for its, line in model(parts)[: upto + 1] if its == name)
        found = re.findall(r"\x1b\[(31|0)m", said)
        return bool(found) and found[-1] == "31"

    told = window(spooled(parts), first, 1).parts
    for name, text in told:
        found = re.findall(r"\x1b\[(31|0)m", text)

        assert (bool(found) and found[-1] == "31") == red(name, first)


def test_a_log_of_any_length_has_a_small_index() -> None:
    """The index is halved when it is full, and still leads to every line."""
    spool = Spool()
    for n in range(2000):
        spool.append("stdout", f"line {n}\n")

    assert len(spool._index) <= 5
    assert window(spool, 1234, 2).parts == (("stdout", "line 1234\nline 1235\n"),)


def test_a_full_disk_loses_the_log_not_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be kept is not; whoever asks is told why, and appending goes on."""

    def full(*args: Any, **kwargs: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    spool = spooled([("stdout", "x" * 200 + "\n")] * 3)
    told, buffers = answer(spool, {"ask": "download", "id": "1", "at": 0})

    assert "No space left on device" in spool.lost
    assert told == {"kind": "file", "id": "1", "error": spool.lost}
    assert buffers == []
    assert spool.lines == 3


def test_a_closed_spool_tells_nothing() -> None:
    """Nor does it fail where a page asks too late, or a job writes too late."""
    spool = spooled([("stdout", "a\n" * 100)])
    spool.close()
    spool.append("stdout", "late\n")

    with pytest.raises(Lost, match="the card has ended"):
        window(spool, 0, 1)


@pytest.mark.parametrize(
    "message",
    [
        {"ask": "lines", "first": "x"},
        {"ask": "lines", "first": -1},
        {"ask": "lines", "first": 1e300},
        {"ask": "find", "text": ""},
        {"ask": "download", "at": None},
    ],
)
def test_nonsense_is_answered(message: dict[str, Any]) -> None:
    """A question that makes no sense gets an answer that says so."""
    told, buffers = answer(spooled([("stdout", "a\n")]), {**message, "id": "7"})

    assert told["id"] == "7"
    assert told["error"]
    assert buffers == []
