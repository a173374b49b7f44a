"""What the unfolded card tells, in which order and at which weight."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import re
import struct
import zlib
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatch.facts import State
from nbbatch.widgets import render_html, render_story, render_text
from nbbatch.widgets.model import Bar, CardModel, Earlier, Meter, Part, Parts, Step
from nbbatch.widgets.static import texts
from nbbatch.widgets.static.fold import folded, weight
from nbbatch.widgets.static.pictures import SIZES, bar, chart
from tests.widgets.jobs import START, ended, running
from tests.widgets.stories import LOG, meters, points, rich
from tests.widgets.test_static import Tags

ROOM = 19_000


def pictures(html: str) -> list[bytes]:
    """Return the pictures that are in the HTML."""
    return [base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([^\"]+)", html)]


def pixels(png: bytes) -> list[list[int]]:
    """Read a picture as any viewer does: check the sums, unpack, return the colours' indices."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        (total,) = struct.unpack(">I", png[at + 8 + size : at + 12 + size])
        assert zlib.crc32(kind + data) == total
        chunks[kind] = data
        at += 12 + size
    width, height, bits, kind_of = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (bits, kind_of) == (2, 3)
    lines, stride = zlib.decompress(chunks[b"IDAT"]), 1 + (width + 3) // 4
    assert len(lines) == stride * height
    rows = [lines[y * stride + 1 : (y + 1) * stride] for y in range(height)]
    return [[row[x // 4] >> (6 - 2 * (x % 4)) & 3 for x in range(width)] for row in rows]


def test_the_line_says_what_counts() -> None:
    """State, name, time, peak, cost and advice, and nothing that stands below it."""
    summary = Tags(folded(rich(), (), ROOM).split("</summary>")[0]).text

    assert summary == (
        "✓ Succeeded · train · 1 m 24 s · attempt 2 of 3 · peak 2 cores, 5 GB · $0.42"
        " — asked for 16 GB, peaked at 5 GB"
    )


def test_the_story_is_whole_and_in_order() -> None:
    """States with times, attempts, resources, parts, links, bars, charts, log, and the job's id."""
    html = folded(rich(), LOG, ROOM)
    text = " ".join(Tags(html).text.split())
    wanted = [
        "Submitted 0.4 s → Runnable 8.1 s → Running 1 m 12 s → Succeeded",
        "attempt 1: Failed after 41 s: host reclaimed",
        "4 vCPU, 1 GPU, 16 GB",
        "g5.2xlarge",
        "eu-central-1a",
        "7 succeeded, 1 failed",
        "✗ node 3 failed: exit code 1",
        "console · log",
        "%batch card 20260131-094500-1f0c2a9b",
        "epochs: 20 of 20 it",
        "validation: 31 of 50 it",
        "CPU: peak 5 of 16 GB",
        "Disk: peak 5 of 16 GB",
        "%batch logs 20260131-094500-1f0c2a9b",
        "UserWarning: 119 & <tags>",
    ]
    at = -1
    for words in wanted:
        at = text.index(words, at + 1)
    assert len(pictures(html)) == 7


def test_text_tells_the_same() -> None:
    """A terminal gets all of it but charts and log, one thing a line."""
    story = texts.story(rich())

    assert story.startswith("✓ Succeeded · train · 1 m 24 s · attempt 2 of 3 · 2 vCPU of 4 asked")
    assert "\n  States      Submitted 0.4 s → " in story
    assert "\n  validation  31 of 50 it" in story
    assert "\n  Console     https://console.example/jobs/x" in story


@pytest.mark.parametrize("state", [State.RUNNABLE, State.RUNNING])
def test_what_was_last_seen_says_when_and_how_to_see_more(state: State) -> None:
    """A live job's plain form claims nothing that time makes wrong, in all three forms."""
    facts = running(state=state, message="waits for its turn")
    for text in (
        render_text(facts, START + 60),
        render_story(facts, START + 60),
        Tags(render_html(facts, (), START + 60)).text,
    ):
        head = text.split("States")[0]
        assert "last seen 2023-11-14" in head
        assert "%batch card 20260131-094500-1f0c2a9b shows it now" in head
        assert "waits for its turn" in head
        assert "1 m" not in head


@pytest.mark.parametrize("size", SIZES[:-1])
def test_a_chart_shows_its_points(size: tuple[int, int, int]) -> None:
    """High where the figure is high, to the last column; shade below, nothing above."""
    meter = Meter("CPU", "", points=((0, 0.0), (10, 0.0), (20, 1.0), (30, 1.0)), scale="2 cores")
    width, height, density = size
    (png,) = pictures(html := chart(meter, size))
    rows = pixels(png)
    columns = list(zip(*rows, strict=True))

    assert (len(columns), len(rows)) == (width * density, height * density)
    assert f"width:{width}px;height:{height}px" in html
    assert columns[-1][0] == 2
    assert columns[0].index(2) > len(rows) * 0.8
    assert set(columns[-1][len(rows) // 2 : -density * 2]) == {1}
    assert {column[-1] for column in columns} <= {2, 3}
    middle = columns[len(columns) // 2]
    assert len(rows) * 0.2 < middle.index(2) < len(rows) * 0.8


def test_a_chart_that_is_stripped_is_told() -> None:
    """The text instead of a chart has its figures, and says over which time and of what."""
    (alt,) = Tags(chart(meters(1)[0], SIZES[0])).attributes["alt"]

    assert re.fullmatch(r"CPU over 1 m 10 s: (\d+% ){8}of 16 GB", alt)


@pytest.mark.parametrize(("fraction", "full"), [(0.0, 0), (0.5, 80), (1.0, 160), (7.0, 160)])
def test_a_bar_shows_how_far_it_came(fraction: float, full: int) -> None:
    """In the last state that was seen, as picture and as text."""
    html = bar(Bar("epochs", "", fraction))
    (row, *_) = pixels(pictures(html)[0])

    assert row == [2] * full + [3] * (160 - full)
    assert f'alt="{fraction:.0%}"' in html


@pytest.mark.parametrize("points_", [(), ((0.0, 0.5),), ((1.0, 0.5), (1.0, 0.7)), points(2)])
def test_few_points_are_no_trouble(points_: tuple[tuple[float, float], ...]) -> None:
    """No chart of one point, and none that divides by no time."""
    html = chart(Meter("CPU", "", points=points_), SIZES[0])

    assert bool(html) == (len(points_) > 1)


def test_charts_shrink_before_the_log_does() -> None:
    """With more to show, pictures lose detail, then are words; the log keeps its room."""
    few, many = folded(rich(), LOG, ROOM), folded(rich(usage=meters(30)), LOG * 5, ROOM)
    tight = folded(rich(usage=meters(30)), LOG * 5, 9_000)

    assert "width:200px" in few
    assert "width:200px" not in many
    assert many.count("<img") == 14
    assert many.count("epoch") > 100
    assert weight(many) <= ROOM
    assert weight(tight) <= 9_000
    assert "UserWarning: 119 " in tight
    assert tight.count("<img") < many.count("<img")


HOSTILE = st.text(max_size=400) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</pre></details><img src=x onerror=a>",
        "\"'>",
        "&amp;",
        "\x1b[1m",
    ]
)
TAGS = {"details", "summary", "b", "br", "div", "span", "pre", "i", "a", "code", "img", "small"}
STYLE = re.compile(r"[a-z0-9:;.%\- ]+")


def hostile(draw: Any) -> CardModel:
    """Draw a card whose every text comes from a job or a backend that wants to harm."""
    told = itertools.cycle(draw(st.lists(HOSTILE, min_size=1, max_size=7)))
    text = partial(next, told)
    count = draw(st.integers(0, 40))
    some = range(count)
    spread = tuple((float(n), n / 40) for n in some)
    facts = ended(outcome=draw(st.sampled_from(["ok", "error", "lost"])), name=text())
    return dataclasses.replace(
        rich(),
        name=text(),
        message=text(),
        tone=draw(st.sampled_from(["ok", "bad"])),
        steps=tuple(Step(text(), "done", time=text()) for _ in range(5)),
        usage=tuple(
            Meter(text(), text(), None, text(), None, spread, text()) for _ in range(count)
        ),
        bars=tuple(Bar(text(), text(), n / 40) for n in some),
        earlier=tuple(Earlier(n, text(), text(), text()) for n in some),
        parts=Parts(text(), ((text(), 1),), (Part(1, text(), text(), "bad", text()),) * count),
        details=tuple((text(), text()) for _ in range(min(count, 12))),
        url=text(),
        log_url=draw(st.sampled_from(["javascript:alert(1)", "https://x/\"onclick='a'", ""])),
        cost=text(),
        advice=text(),
        id=facts.id,
    )


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_a_job_says_stays_text_and_small(data: st.DataObject) -> None:
    """Only our own tags, attributes and styles; links to the web alone; the weight holds."""
    model = hostile(data.draw)
    tail = data.draw(
        st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), HOSTILE), max_size=9)
    )
    html = folded(model, tail * 20, ROOM)
    found = Tags(html)

    assert found.tags <= TAGS
    assert all(STYLE.fullmatch(style) for style in found.attributes["style"])
    assert set(found.attributes) <= {*("style", "title", "href", "target", "rel", "src", "alt")}
    assert all(url.startswith("https://x/") for url in found.attributes.get("href", ()))
    assert html.count("<details") == html.count("</details>") == 1
    assert len(json.dumps(html, ensure_ascii=False).encode("utf-8", "replace")) <= ROOM
