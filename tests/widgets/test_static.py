"""The final form: plain, small, and safe wherever a notebook is read."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser

import pytest

from nbbatch.facts import State
from nbbatch.widgets import render_html, render_text
from nbbatch.widgets.static import bundle, live_html
from tests.widgets.jobs import ended, waiting

EVIL = "<script>alert(1)</script>\"'&\x1b[31m</pre><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """Collects what the HTML is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its attributes."""
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text += data


def test_the_text_is_one_line() -> None:
    """State, name, time, resources and peak, in one line."""
    text = render_text(ended())

    assert text == (
        "✓ Succeeded · train · 1 m 24 s · 2 vCPU of 4 asked, 1 GPU, 16 GB · peak 2 cores, 5 GB"
    )


@pytest.mark.parametrize("outcome", ["error", "lost", "cancelled"])
def test_a_failure_says_why(outcome: str) -> None:
    """The message stands in the line itself, in both forms."""
    facts = ended(state=State.FAILED, outcome=outcome, message="killed for its memory")

    assert render_text(facts).endswith(" — killed for its memory")
    summary = render_html(facts).split("</summary>")[0]
    assert "killed for its memory" in summary


def test_the_html_needs_nothing_that_viewers_strip() -> None:
    """No style block, script, id, class, variable or colour; the log is under the fold."""
    html = render_html(ended(url="https://console.example/x"), [("stdout", "a"), ("stderr", "b")])
    found = Tags(html)

    assert found.tags == {"details", "summary", "b", "div", "span", "pre", "i", "a", "code"}
    assert set(found.attributes) == {"style", "title", "href", "target", "rel"}
    assert not re.search(r"color|background|var\(", " ".join(found.attributes["style"]))
    assert html.index("</summary>") < html.index("<pre")
    assert "stderr" in found.attributes["title"]


def test_nothing_from_a_job_becomes_markup() -> None:
    """Log, message, name and place are escaped."""
    given = {"host": EVIL}
    facts = ended(outcome="error", name=EVIL, message=EVIL, given=given, url="javascript:alert(1)")
    for html in (render_html(facts, [("stdout", EVIL), ("stderr", EVIL)]), live_html(facts)):
        found = Tags(html)

        assert found.tags <= {"details", "summary", "b", "div", "span", "pre", "i", "code"}
        assert set(found.attributes) <= {"style", "title"}
        assert "<script>alert(1)</script>" in found.text


@pytest.mark.parametrize("line", ["x" * 5000, "<&\"'>" * 100, "\\\t" * 900, "日本語" * 300, ""])
def test_a_card_weighs_at_most_20_kb(line: str) -> None:
    """Whatever the job wrote, as the notebook file has it; and the newest line is there."""
    long = "<>" * 1000
    facts = ended(outcome="lost", name=long, message=long, given=dict.fromkeys("abcdef", long))
    facts = dataclasses.replace(facts, url="https://x/?" + "&" * 400)
    tail = [("stderr", line)] * 300 + [("stdout", "the end")]
    kept = bundle(facts, tail)
    lines = {name: text.splitlines(keepends=True) for name, text in kept.items()}

    assert len(json.dumps(lines, indent=5, ensure_ascii=False).encode()) <= 20_000
    assert "the end" in kept["text/html"]


def test_a_live_card_without_its_kernel_says_so() -> None:
    """What is saved in mid-job names the job and how to see it again."""
    html = live_html(waiting())

    assert "submitted at 2023-11-" in html
    assert "needs the kernel that showed it" in html
    assert "%batch card 20260131-094500-1f0c2a9b" in html
