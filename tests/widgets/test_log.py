"""A job's text stays bounded and reads as it would on a terminal."""

from __future__ import annotations

import pytest

from nbbatch.widgets.log import BATCH_CHARS, BATCH_LINES, LINE_CHARS, Pending, Tail, plain


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\x1b[1;31mred\x1b[0m", "ared"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\!", "link!"),
        ("\x1bPq#0\x1b\\a\x1b(Bb", "ab"),
        ("tab\there\x07\x00\x9b\x7f", "tab\there"),
        ("\x1b", ""),
    ],
)
def test_plain_text_has_no_escapes(raw: str, text: str) -> None:
    """Sequences and controls disappear, what stands around them stays."""
    assert plain(raw) == text


def test_neighbours_of_one_stream_travel_together() -> None:
    """Order is kept; pieces of one stream are joined."""
    pending = Pending()
    for name, text in (("stdout", "a"), ("stdout", "b\n"), ("stderr", "c\n"), ("stdout", "d")):
        pending.add(name, text)

    batch = pending.take()

    assert batch is not None
    assert batch.parts == (("stdout", "ab\n"), ("stderr", "c\n"), ("stdout", "d"))
    assert batch.skipped == 0
    assert pending.take() is None


def test_a_flood_keeps_its_newest_lines_and_counts_the_others() -> None:
    """A batch is bounded in lines and characters; what was left out is counted."""
    lines, chars = Pending(), Pending()
    for n in range(3 * BATCH_LINES):
        lines.add("stdout", f"{n}\n")
    for n in range(100):
        chars.add("stdout", f"{n}".rjust(BATCH_CHARS // 10) + "\n")

    few, short = lines.take(), chars.take()

    assert few is not None
    assert short is not None
    assert few.parts[0][1].split("\n")[-2] == str(3 * BATCH_LINES - 1)
    assert few.parts[0][1].count("\n") + few.skipped == 3 * BATCH_LINES
    assert few.parts[0][1].count("\n") == BATCH_LINES
    assert sum(len(text) for _, text in short.parts) <= BATCH_CHARS
    assert short.parts[-1][1].endswith("99\n")
    assert short.skipped + sum(text.count("\n") for _, text in short.parts) == 100


def test_a_line_without_an_end_is_cut_not_lost() -> None:
    """Output without a newline keeps its end."""
    pending = Pending()
    pending.add("stdout", "x" * 3 * BATCH_CHARS + "end")

    batch = pending.take()

    assert batch is not None
    assert len(batch.parts[0][1]) == BATCH_CHARS
    assert batch.parts[0][1].endswith("xend")


def test_what_a_return_rewrote_does_not_travel() -> None:
    """A progress bar costs its last state, with the return that rewrites the line."""
    pending = Pending()
    pending.add("stderr", "start\r" + "\r".join(f"{n}%" for n in range(100)) + "\r\nnext\r")

    batch = pending.take()

    assert batch is not None
    assert batch.parts == (("stderr", "\r99%\nnext\r"),)


def test_lone_surrogates_do_not_travel() -> None:
    """Every part can be written as UTF-8."""
    pending = Pending()
    pending.add("stdout", "a\udcffb\n")

    batch = pending.take()

    assert batch is not None
    assert batch.parts[0][1].encode() == b"a?b\n"


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


def test_the_tail_forgets_all_but_the_end() -> None:
    """However much comes at once, the tail has its number of lines, each of bounded length."""
    tail = Tail(3)
    tail.feed("stdout", "begun ")
    tail.feed("stdout", "".join(f"{n}\n" for n in range(1000)) + "x" * 10 * LINE_CHARS + "\n")

    lines = [line for _, line in tail.lines()]

    assert lines[:2] == ["998", "999"]
    assert len(lines[2]) == LINE_CHARS
    assert lines[2].startswith("…x")
