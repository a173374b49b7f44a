"""The log on the card: a real browser, and the kernel's real log behind it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from nbbatch.widgets.log import ASKS, JobLog
from tests.browser.contrast import faint_texts
from tests.browser.lab import Lab, notebook
from tests.browser.models import running
from tests.browser.stage import Stage, staged

pytestmark = pytest.mark.browser

LOG = ".nbb-log"


class Desk:
    """A card on a stage whose questions the kernel's own log answers."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.page = stage.page
        self.log = JobLog()
        self.silent = False
        self.page.expose_function("answered", self._answer)

    def open(self, **traits: Any) -> None:
        """Show the card; what it asks is answered as the kernel would."""
        # Before the card is there: it asks soon, and only once.
        self.page.evaluate(
            """() => {
                Model.prototype.send = async function (content) {
                    this.sent.push(content);
                    const answer = await window.answered(content);
                    if (!answer) return;
                    const data = Uint8Array.from(atob(answer.data), c => c.charCodeAt(0));
                    this.emit('msg:custom', answer.message, [new DataView(data.buffer)]);
                };
            }"""
        )
        self.stage.card(running(usage=(), details=()), **traits)

    def _answer(self, content: dict[str, Any]) -> dict[str, Any] | None:
        if content["ask"] not in ASKS or self.silent:
            return None
        message, buffers = self.log.answer(content)
        return {"message": message, "data": base64.b64encode(b"".join(buffers)).decode()}

    def write(self, *parts: tuple[str, str]) -> None:
        """Let the job say something, and the page hear it."""
        for name, text in parts:
            self.log.write(name, text)
        message = self.log.take()
        if message is not None:
            self.stage.tell(message)

    def wait(self, text: str, selector: str = LOG) -> None:
        """Wait until an element holds a text."""
        self.page.locator(selector).filter(has_text=text).first.wait_for()

    def press(self, name: str) -> None:
        """Click a button, as a screen reader calls it."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def rows(self) -> list[str]:
        """Return the lines in the page."""
        return str(self.page.locator(f"{LOG} > div").first.text_content()).split("\n")[:-1]

    def wait_end(self) -> None:
        """Wait until the log's view is at its end: lines get their height once they are seen."""
        self.page.wait_for_function(
            "() => { const box = document.querySelector('.nbb-log');"
            " return box.scrollHeight - box.clientHeight - box.scrollTop < 20; }"
        )


@contextmanager
def desk(browser: Browser, theme: str = "light", **options: Any) -> Iterator[Desk]:
    """Open a card on a stage."""
    with staged(browser, **options) as stage:
        stage.theme(theme)
        made = Desk(stage)
        made.open()
        yield made
        assert stage.errors == []
    made.log.close()


def numbered(first: int, last: int) -> str:
    """Return some numbered lines."""
    return "".join(f"line {n:06d}\n" for n in range(first, last))


def test_the_page_keeps_5000_lines_and_shows_any_others(browser: Browser) -> None:
    """The end is followed; earlier lines come from the kernel, and the way back is one click."""
    with desk(browser) as card:
        for first in range(0, 20_000, 1000):
            card.write(("stdout", numbered(first, first + 1000)))
        card.wait("line 019999")
        card.wait("the last 5,000 shown", ".nbb-count")
        followed = card.rows()
        card.press("Earlier lines")
        card.wait("Lines 10,501 to 15,500 of 20,000", ".nbb-count")
        earlier = card.rows()
        visible = card.page.evaluate(
            "() => { const box = document.querySelector('.nbb-log');"
            " const { left, top } = box.getBoundingClientRect();"
            " return document.caretRangeFromPoint(left + 30, top + 40).startContainer.data; }"
        )
        card.stage.shot("log-earlier")
        card.press("Later lines")
        card.wait("Lines 15,001 to 20,000 of 20,000", ".nbb-count")
        card.press("Back to the end")
        card.wait("the last 5,000 shown", ".nbb-count")
        card.wait_end()

    assert followed == numbered(15_000, 20_000).split("\n")[:-1]
    assert earlier == numbered(10_500, 15_500).split("\n")[:-1]
    assert "line 0150" in visible


def test_a_flood_is_filled_up_once_it_is_over(browser: Browser) -> None:
    """What the page was not sent while it could not be read is fetched when it is quiet."""
    with desk(browser) as card:
        card.write(("stdout", "first\n"))
        for first in range(0, 50_000, 10_000):
            card.write(("stdout", numbered(first, first + 10_000)))
        card.page.wait_for_function("() => document.querySelector('.nbb-count').textContent"
                                    ".includes('the last 5,000 shown')")  # fmt: skip
        card.page.wait_for_function(
            "() => document.querySelector('.nbb-log > div').textContent.split('\\n').length > 5000"
        )
        rows = card.rows()
        card.wait_end()

    assert rows == numbered(45_000, 50_000).split("\n")[:-1]


def test_scrolling_up_pauses_and_the_end_follows(browser: Browser) -> None:
    """New lines are counted meanwhile and move nothing."""
    with desk(browser) as card:
        card.write(("stdout", numbered(0, 300)))
        card.wait("line 000299")
        card.page.locator(LOG).hover()
        card.page.mouse.wheel(0, -400)
        card.wait("paused", ".nbb-count")
        card.write(("stdout", numbered(300, 400)))
        card.wait("100 new", ".nbb-count")
        paused = card.rows()
        pressed = card.page.get_by_role("button", name="Follow").get_attribute("aria-pressed")
        card.stage.shot("log-paused")
        card.page.mouse.wheel(0, 10_000)
        card.wait("line 000399")
        again = card.page.get_by_role("button", name="Follow").get_attribute("aria-pressed")
        card.press("Follow")
        card.write(("stdout", numbered(400, 401)))
        card.wait("1 new", ".nbb-count")
        card.press("Follow")
        card.wait("line 000400")

    assert paused == numbered(0, 300).split("\n")[:-1]
    assert (pressed, again) == ("false", "true")


def test_search_finds_what_the_page_has_not(browser: Browser) -> None:
    """Hits before the page's lines come from the kernel, and are gone to."""
    with desk(browser) as card:
        for first in range(0, 20_000, 1000):
            said = numbered(first, first + 1000).replace("0500\n", "0500 \x1b[31mNee\x1b[0mdle\n")
            card.write(("stdout", said), ("stderr", "" if first else "a needle here\n"))
        card.wait("line 019999")
        card.page.locator(LOG).focus()
        card.page.keyboard.press("Control+f")
        card.page.keyboard.type("needle")
        card.wait("3 found", ".nbb-hits")
        card.page.keyboard.press("Shift+Enter")
        card.wait("3 of 3", ".nbb-hits")
        card.wait("line 010500 Needle")
        marked = card.page.evaluate(
            "() => [...CSS.highlights.get('nbb-current')].map(range => range.toString())"
        )
        card.stage.shot("log-search")
        card.page.keyboard.press("Enter")
        card.wait("1 of 3", ".nbb-hits")
        card.wait("line 000500 Needle")
        card.press("Match case")
        card.wait("1 found", ".nbb-hits")
        card.page.get_by_role("searchbox").press("Escape")
        left = card.page.evaluate("() => CSS.highlights.get('nbb-found').size")

    assert marked == ["Needle"]
    assert left == 0


def test_search_without_the_browsers_highlights(browser: Browser) -> None:
    """Elsewhere the hits are wrapped in elements, and nothing is read as HTML."""
    with staged(browser) as stage:
        stage.page.add_init_script("delete window.Highlight;")
        stage.open()
        stage.theme("light")
        card = Desk(stage)
        card.open()
        card.write(("stdout", "a \x1b[1mbold\x1b[0m <b>x</b> and bold again\n"))
        card.wait("again")
        box = card.page.get_by_role("searchbox")
        box.fill("bold")
        card.wait("1 found", ".nbb-hits")
        marks = card.page.locator(f"{LOG} mark").all_inner_texts()
        box.fill("<b>")
        card.page.locator(f"{LOG} mark", has_text="<b>").wait_for()
        box.press("Escape")
        card.page.wait_for_function("() => !document.querySelector('.nbb-log mark')")
        text = card.rows()

    assert marks == ["bold", "bold"]
    assert text == ["a bold <b>x</b> and bold again"]


def test_the_whole_log_is_downloaded(browser: Browser, tmp_path: Path) -> None:
    """Byte for byte, escapes included, though the page holds a part of it."""
    text = "".join(f"\x1b[3{n % 8}mline {n:06d} é\x1b[0m " + "x" * 60 + "\n" for n in range(60_000))
    with desk(browser) as card:
        for at in range(0, len(text), 400_000):
            card.write(("stdout", text[at : at + 400_000]))
        with card.page.expect_download() as got:
            card.press("Download")
        got.value.save_as(tmp_path / "whole.log")
        card.wait("Downloaded", ".nbb-told")
        name = got.value.suggested_filename

        card.log.close()
        with card.page.expect_download() as got:
            card.press("Download")
        got.value.save_as(tmp_path / "part.log")
        card.wait("Only the page's last", ".nbb-told")

    assert (tmp_path / "whole.log").read_bytes() == text.encode()
    assert name.endswith(".log")
    assert (tmp_path / "part.log").read_text().splitlines()[-1].startswith("line 059999 é x")


@pytest.mark.parametrize("clipboard", [True, False])
def test_lines_are_copied(browser: Browser, clipboard: bool) -> None:
    """The lines on show, or what is selected of them; also where there is no clipboard API."""
    with desk(browser) as card:
        if clipboard:
            # Only secure pages have one, which the stage is not.
            card.page.evaluate(
                "() => Object.defineProperty(navigator, 'clipboard',"
                " { value: { writeText: async text => { window.copied = text; } } })"
            )
        else:
            card.page.evaluate(
                "() => document.addEventListener('copy',"
                " () => window.copied = document.activeElement.value)"
            )
        card.write(("stdout", "one\n\x1b[31mtwo\x1b[0m\nopen"))
        card.wait("open")
        card.press("Copy")
        card.wait("3 lines copied", ".nbb-told")
        all_ = card.page.evaluate("() => window.copied")
        card.page.evaluate(
            "() => document.getSelection().selectAllChildren("
            "document.querySelector('.nbb-log .nbb-ansi1'))"
        )
        card.press("Copy")
        card.wait("The selection copied", ".nbb-told")
        selected = card.page.evaluate("() => window.copied")

    assert (all_, selected) == ("one\ntwo\nopen\n", "two")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_can_be_read(browser: Browser, theme: str) -> None:
    """16 colours, 256, any: in both themes the text stands out (WCAG AA); styles are kept."""
    basic = "".join(f"\x1b[{n}m {n} \x1b[0m" for n in [*range(30, 38), *range(90, 98)])
    under = "".join(f"\x1b[{n}m {n} \x1b[0m" for n in [*range(40, 48), *range(100, 108)])
    pairs = "".join(f"\x1b[{30 + n};{40 + m}m{n}{m}\x1b[0m" for n in range(8) for m in range(8))
    cube = "".join(f"\x1b[38;5;{n}m {n}\x1b[0m" for n in range(16, 256, 5))
    true = "\x1b[38;2;255;255;0myellow\x1b[0m \x1b[38:2::10:10:60mnight\x1b[0m "
    true += "\x1b[48;5;52mwine\x1b[0m"
    kinds = "\x1b[1mbold\x1b[22m \x1b[3mitalic\x1b[23m \x1b[4munder\x1b[24m "
    kinds += "\x1b[9mgone\x1b[29m \x1b[7minverse\x1b[0m"
    carried = "\x1b[32mgreen\nstill green\x1b[0m"
    with desk(browser, theme) as card:
        for text in (basic, under, pairs, cube, true, kinds, carried):
            card.write(("stdout", f"{text}\n"))
        card.write(("stderr", "to stderr\n"))
        card.wait("to stderr")
        low = faint_texts(card.page)
        card.stage.shot(f"log-colours-{theme}")
        green = card.page.locator(".nbb-ansi2", has_text="still green").count()
        flags = [card.page.locator(f".nbb-{name}").first.inner_text() for name in
                 ("bold", "italic", "underline", "strike", "inverse")]  # fmt: skip

    assert [text for text, *_ in low] == []
    assert green == 1
    assert flags == ["bold", "italic", "under", "gone", "inverse"]


def test_keys_typed_into_the_search_box_stay_there(browser: Browser) -> None:
    """A front end that listens for keys on the page hears none of them."""
    with desk(browser) as card:
        card.page.evaluate(
            "() => { window.heard = []; document.addEventListener('keydown',"
            " event => window.heard.push(event.key)); }"
        )
        card.write(("stdout", "a\n"))
        card.page.get_by_role("searchbox").press_sequentially("dd bx")
        heard = card.page.evaluate("() => window.heard")
        suppressed = card.page.get_by_role("searchbox").get_attribute("data-lm-suppress-shortcuts")

    assert heard == []
    assert suppressed == "true"


def test_the_tools_are_reachable_and_named(browser: Browser) -> None:
    """axe-core finds nothing, and Tab goes through all of them."""
    with desk(browser) as card:
        card.write(("stdout", "a needle\n" * 50))
        card.page.get_by_role("searchbox").fill("needle")
        card.wait("50 found", ".nbb-hits")
        card.page.get_by_role("button", name="Follow").focus()
        names = []
        for _ in range(9):
            names.append(
                card.page.evaluate(
                    "() => document.activeElement.getAttribute('aria-label')"
                    " ?? document.activeElement.textContent"
                )
            )
            card.page.keyboard.press("Tab")
        found = card.stage.violations()

    assert names[:8] == ["Follow", "Wrap", "Search the log", "Match case", "Previous hit",
                         "Next hit", "Copy", "Download"]  # fmt: skip
    assert names[8].startswith("Log of")
    # The stage is no whole page.
    assert [name for name, _ in found if name != "page-has-heading-one"] == []


def test_a_page_that_is_loaded_again_fills_itself(browser: Browser) -> None:
    """The tail is there at once as plain text; then the lines as they came, and what goes on."""
    with desk(browser) as card:
        card.log.write("stdout", numbered(0, 3000) + "\x1b[31mred\x1b[0m\nhalf a ")
        card.log.take()
        tail = card.log.start_again()
        card.stage.page.evaluate("() => document.getElementById('one').remove()")
        card.open(tail=tail)
        card.wait("half a")
        card.page.locator(".nbb-ansi1", has_text="red").wait_for()
        card.write(("stdout", "line\n"))
        card.wait("half a line")
        rows = card.rows()

    assert rows == [*numbered(0, 3000).split("\n")[:-1], "red", "half a line"]


def test_what_was_said_just_before_a_page_was_loaded_comes(browser: Browser) -> None:
    """It was sent while no page listened; the next tail brings it, and all that was before."""
    with desk(browser) as card:
        card.write(("stdout", numbered(0, 10)))
        card.wait("line 000009")
        card.log.write("stdout", numbered(10, 3000))
        card.log.take()
        card.stage.set("tail", card.log.start_again())
        card.wait("line 002999")
        card.page.wait_for_function(
            "() => document.querySelector('.nbb-log > div').textContent.startsWith('line 000000')"
        )
        card.write(("stdout", "after\n"))
        card.wait("after")
        rows = card.rows()

    assert rows == [*numbered(0, 3000).split("\n")[:-1], "after"]


def test_several_bars_stay_several_rows(browser: Browser) -> None:
    """Nested tqdm bars move in their rows while they run, and stand there at the end."""
    with desk(browser) as card:
        card.write(("stdout", "before\n"), ("stderr", "\router   0%"))
        seen = []
        for outer in (50, 100):
            for inner in range(0, 101, 10):
                card.write(("stderr", f"\n\rinner {inner:3}%\x1b[A"))
            card.wait("inner 100%")
            card.write(("stderr", f"\router {outer:3}%"))
            card.wait(f"outer {outer:3}%")
            seen.append(card.page.locator(LOG).inner_text().split())
        card.stage.shot("log-bars")
        card.write(("stderr", "\n\nafter\n"))
        card.wait("after")
        rows = card.rows()

    assert seen == [
        ["before", "outer", "50%", "inner", "100%"],
        ["before", "outer", "100%", "inner", "100%"],
    ]
    assert rows == ["before", "outer 100%", "inner 100%", "after"]


def test_nothing_that_a_job_writes_makes_anything(browser: Browser) -> None:
    """Markup, links, styles and names from a job stay text: shown, searched, fetched, copied."""
    evil = "<img src=x onerror='window.hacked=1'><svg onload=window.hacked=1>"
    link = "\x1b]8;;javascript:window.hacked=1\x07click\x1b]8;;\x07"
    styles = "\x1b[38;2;url(x);1;1m\x1b[38;5;999999m\x1b[48:2::1e9:-5:x\x1b[99999999999m\x1b[;;;m"
    name = '"><img src=x onerror=window.hacked=1>'
    with desk(browser) as card:
        card.page.add_init_script("window.hacked = 0")
        card.write(("stdout", f"{evil}\n{link}\n{styles}styled {evil}\x1b[0m\n"))
        card.write(
            (name, f"{evil}\n"), ("__proto__", f"{evil}\n"), ("stderr", f"{evil}\r<b>\x1b[A")
        )
        card.write(*[("stdout", numbered(n, n + 1000)) for n in range(0, 9000, 1000)])
        card.wait("line 008999")
        card.page.get_by_role("searchbox").fill("<img src=x")
        card.wait("4 found", ".nbb-hits")
        card.press("Next hit")
        card.wait("1 of 4", ".nbb-hits")
        card.wait("onerror=")
        text = card.page.locator(LOG).inner_text()
        made = card.page.locator(
            f"{LOG} :is(img, svg, script, a, b, [onclick], [onerror], [href], [src])"
        ).count()
        hacked = card.page.evaluate("() => window.hacked")

    assert text.count("<img src=x onerror='window.hacked=1'>") >= 4
    assert "click" in text
    assert "javascript" not in text
    assert (made, hacked or 0) == (0, 0)


STORY = """
from fakejob import *
def story(job):
    job.become(running(job.facts))
    for first in range(0, 30_000, 1000):
        job.view.write("stdout", "".join(f"line {n:06d}\\n" for n in range(first, first + 1000)))
    job.cancelled.wait(600)
job = FakeJob(story)
job.wait()
"""


def test_the_log_answers_while_the_cell_blocks(
    lab: Lab, browser: Browser, kernel: str, tmp_path: Path
) -> None:
    """In a notebook whose kernel takes no comm messages then: earlier lines, and all as a file."""
    lab.write(f"asked-{kernel}", [STORY], kernel)
    with notebook(lab, browser, f"asked-{kernel}") as nb:
        nb.run_all()
        nb.page.locator(LOG).filter(has_text="line 029999").wait_for()
        nb.page.locator(".nbb-count").filter(has_text="the last 5,000").wait_for()
        nb.page.get_by_role("button", name="Earlier lines").click()
        nb.page.locator(LOG).filter(has_text="line 022000").wait_for()
        nb.shot("log-in-lab", of=LOG)
        with nb.page.expect_download() as got:
            nb.page.get_by_role("button", name="Download", exact=True).click()
        got.value.save_as(tmp_path / "whole.log")
        blocked = nb.page.locator(".jp-InputPrompt").first.inner_text()
        nb.page.get_by_role("button", name="Cancel train").click()
        nb.wait_idle()

    assert (tmp_path / "whole.log").read_text() == numbered(0, 30_000)
    assert "*" in blocked
    assert nb.errors == []
