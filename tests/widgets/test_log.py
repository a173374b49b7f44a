"""A job's text stays bounded and reads as it would on a terminal."""

from __future__ import annotations

import pytest

from nbbatch.widgets.log import JobLog, Tail, plain
from nbbatch.widgets.log.pending import BATCH_CHARS, BATCH_LINES, FLOOD_LINES, Batch, Pending
from nbbatch.widgets.log.text import LINE_CHARS, collapsed, shown, styles


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\x1b[1;31mred\x1b[0m", "ared"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\!", "link!"),
        ("\x1bPq#0\x1b\\a\x1b(Bb", "ab"),
        ("tab\there\x07\x00\x9b\x7f", "tab\there"),
        ("a\udcffb", "ab"),
        ("\x1b", ""),
    ],
)
def test_plain_text_has_no_escapes(raw: str, text: str) -> None:
    """Sequences and controls disappear, what stands around them stays."""
    assert plain(raw) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("10%\r20%", "20%"),
        ("a longer one\rshort", "shortger one"),
        ("a longer one\rshort\x1b[K", "short"),
        ("a longer one\r\x1b[2Kshort", "short"),
        ("\x1b[31mred\x1b[0m line\rRED", "RED line"),
        ("windows\r", "windows"),
        ("50%\r", "50%"),
        ("ab\x1b[1Kcd", "abcd"),
    ],
)
def test_a_return_writes_over_what_stands_there(raw: str, text: str) -> None:
    """As on a terminal: what is longer than the new writing stays, unless it is erased."""
    assert shown(raw) == text
    assert shown(collapsed(raw)) == text


def test_what_later_writings_cover_is_left_out() -> None:
    """A progress bar costs its last state, however often it was drawn; its colour stays."""
    bar = "\r".join(f"\x1b[32m{n:3}%" for n in range(100)) + "\r\x1b[0m100%"

    assert collapsed(bar) == "\x1b[32m\x1b[0m100%"
    assert collapsed("\x1b[31mab\rcd") == "\x1b[31mcd"
    assert collapsed("ab\rcd", begun=True) == "ab\rcd"


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("plain", ""),
        ("\x1b[31mred\x1b[1mbold", "\x1b[31m\x1b[1m"),
        ("\x1b[31m\x1b[32m\x1b[31m", "\x1b[32m\x1b[31m"),
        ("\x1b[1mbold\x1b[0m", "\x1b[0m"),
        ("\x1b[1mbold\x1b[m\x1b[34mx", "\x1b[m\x1b[34m"),
        ("\x1b[1m\x1b[0;33mx", "\x1b[0;33m"),
        ("\x1b[2Kerased", ""),
    ],
)
def test_the_style_that_holds_at_the_end(text: str, style: str) -> None:
    """Only what is still in force after the last reset is remembered, each sequence once."""
    assert styles(text) == style


def taken(*parts: tuple[str, str]) -> Batch:
    """Return what a page gets of some texts."""
    pending = Pending()
    for name, text in parts:
        pending.add(name, text, text.count("\n"))
    batch = pending.take()
    assert batch is not None
    assert pending.take() is None
    return batch


def test_neighbours_of_one_stream_travel_together() -> None:
    """Order is kept; pieces of one stream are joined."""
    batch = taken(("stdout", "a"), ("stdout", "b\n"), ("stderr", "c\n"), ("stdout", "d"))

    assert batch.parts == (("stdout", "ab\n"), ("stderr", "c\n"), ("stdout", "d"))
    assert (batch.first, batch.fresh) == (0, False)


def test_a_flood_keeps_its_newest_lines_and_says_which() -> None:
    """A batch is bounded in lines and characters; the first line's number tells what is missing."""
    few = taken(*(("stdout", f"{n}\n") for n in range(3 * BATCH_LINES)))
    short = taken(*(("stdout", f"{n}".rjust(BATCH_CHARS // 10) + "\n") for n in range(100)))
    lines = few.parts[0][1].split("\n")[:-1]

    assert few.fresh
    assert lines == [str(n) for n in range(3 * BATCH_LINES)][-FLOOD_LINES:]
    assert few.first == int(lines[0])
    assert sum(len(text) for _, text in short.parts) <= BATCH_CHARS
    assert short.parts[-1][1].endswith("99\n")
    assert short.first + sum(text.count("\n") for _, text in short.parts) == 100


def test_after_a_gap_each_stream_begins_with_its_line_and_its_style() -> None:
    """What began before the gap and what is in force there is said again."""
    flood = "".join(f"{n}\n" for n in range(3 * BATCH_LINES))
    batch = taken(("stderr", "\x1b[31mred\nhalf a li"), ("stdout", flood), ("stderr", "ne\nnext"))
    ends = [part for part in batch.parts if part[0] == "stderr"]

    assert ends == [("stderr", "\x1b[31mhalf a line\n\x1b[31mnext")]


def test_a_line_without_an_end_is_cut_not_lost() -> None:
    """Output without a newline keeps its end."""
    batch = taken(("stdout", "x" * 3 * BATCH_CHARS + "end"))

    assert batch.parts[0][1].endswith("xend")
    assert len(batch.parts[0][1]) < BATCH_CHARS


def test_lone_surrogates_do_not_travel() -> None:
    """Every part can be written as UTF-8."""
    assert taken(("stdout", "a\udcffb\n")).parts[0][1].encode() == b"a?b\n"


def test_the_tail_is_what_a_terminal_would_show_last() -> None:
    """Pieces join to lines, returns rewrite theirs, an unfinished line is the lowest."""
    tail = Tail(4)
    for name, text in (
        ("stdout", "one\ntw"),
        ("stderr", "\r10%"),
        ("stdout", "o\nthree\n"),
        ("stderr", "\r\x1b[32m20%\x1b[0m"),
        ("stdout", "four\r\n"),
    ):
        tail.feed(name, text)

    assert tail.lines() == [
        ("stdout", "two"),
        ("stdout", "three"),
        ("stdout", "four"),
        ("stderr", "20%"),
    ]


def test_several_bars_stay_several_rows() -> None:
    """What nested tqdm bars write, up and down, are two rows in the tail, too."""
    tail = Tail(10)
    tail.feed("stdout", "before\n")
    for text in two_bars():
        tail.feed("stderr", text)
    tail.feed("stderr", "\n\nafter\n")

    assert [line for _, line in tail.lines()] == ["before", "outer 100%", "inner 100%", "after"]


def two_bars() -> list[str]:
    """Return what tqdm writes for a bar within a bar."""
    said = ["\router   0%"]
    for outer in (50, 100):
        said += [f"\n\rinner {inner:3}%\x1b[A" for inner in range(0, 101, 10)]
        said.append(f"\router {outer:3}%")
    return said


def test_the_tail_forgets_all_but_the_end() -> None:
    """However much comes at once, the tail has its number of lines, each of bounded length."""
    tail = Tail(3)
    tail.feed("stdout", "begun ")
    tail.feed("stdout", "".join(f"{n}\n" for n in range(1000)) + "x" * 10 * LINE_CHARS + "\n")

    lines = [line for _, line in tail.lines()]

    assert lines[:2] == ["998", "999"]
    assert len(lines[2]) == LINE_CHARS
    assert lines[2].startswith("…x")


def test_nothing_of_a_flood_is_missing_in_the_whole_log() -> None:
    """However much came between two looks, what the page was not sent can be asked for."""
    log = JobLog()
    text = "".join(f"line {n}\n" for n in range(100_000))
    for at in range(0, len(text), 1000):
        log.write("stdout", text[at : at + 1000])
    message = log.take()
    told, _ = log.answer({"ask": "lines", "id": "a", "first": 50_000, "count": 3})
    file, (data,) = log.answer({"ask": "download", "id": "b", "at": 0})

    assert message is not None
    assert message["first"] == 100_000 - FLOOD_LINES
    assert told["parts"] == (("stdout", "line 50000\nline 50001\nline 50002\n"),)
    assert text.encode().startswith(data)
    assert file["of"] == len(text)
