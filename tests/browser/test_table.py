"""The monitor's page without a notebook: looks, keys, screen readers, many rows."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Browser

from nbbatch.facts import Gpu, JobFacts, NodeFacts, Progress, State, Usage
from nbbatch.widgets.model.row import row
from nbbatch.widgets.monitor.view import MonitorWidget
from tests.browser.contrast import faint_graphics, faint_texts
from tests.browser.stage import Stage, staged

pytestmark = pytest.mark.browser

GB = 1 << 30
NOW = time.time()


def job(number: int, **changes: Any) -> JobFacts:
    """Return facts of a job that runs."""
    values: dict[str, Any] = {
        "id": f"20260131-0945{number:02}-{number:08x}",
        "name": f"train-{number}",
        "backend": "aws",
        "state": State.RUNNING,
        "asked": {"cpu": 4, "memory": 16384},
        "given": {"cpu": 4, "memory": 16384},
        "submitted_at": NOW - 60 * number,
        "started_at": NOW - 50 * number,
        "usage": Usage(1.9, (number % 14) * GB, 16 * GB),
        "peak": Usage(1.9, 5 * GB, 16 * GB),
    }
    return JobFacts(**{**values, **changes})


def ended(number: int, **changes: Any) -> JobFacts:
    """Return facts of a job that has succeeded."""
    values = {"state": State.SUCCEEDED, "outcome": "ok", "stopped_at": NOW - 5, "usage": None}
    return job(number, **{**values, **changes})


NODES = tuple(NodeFacts(State.FAILED if n == 5 else State.RUNNING) for n in range(16))
LOOP = Progress("a", "epochs", 12, 40, "it", NOW - 60, NOW)
MIXED = [
    job(1, progress=(LOOP,)),
    job(2, name="sweep", usage=Usage(3.9, 2 * GB, 16 * GB, 0, (Gpu("A10G", 87, GB, 24 * GB),))),
    job(3, name="several", nodes=NODES),
    job(4, state=State.RUNNABLE, usage=None, peak=None, message="12 jobs are before it in gpu-q"),
    ended(5, name="sweep"),
    ended(6, outcome="error", state=State.FAILED, message="KeyError: 'price'"),
    ended(7, outcome="cancelled", state=State.FAILED, message="it was cancelled", name="sweep"),
    ended(8, outcome="lost", state=State.FAILED, message="ran out of memory: " + "long " * 40),
]


def table(stage: Stage, found: list[JobFacts], **head: Any) -> None:
    """Put a monitor with jobs on the stage."""
    stage.mount(blocking=True, left={})
    say(stage, found, seq=1, whole=True, **head)


def say(stage: Stage, found: list[JobFacts], seq: int, whole: bool = False, **head: Any) -> None:
    """Send rows."""
    rows = [{**row(facts, NOW, parts=bool(facts.nodes)).as_json(), "note": ""} for facts in found]
    said = {"all": False, "older": 0, "trouble": "", "now": NOW, **head}
    message = {"seq": seq, "whole": whole, "first": whole, "head": said, "rows": rows, "gone": []}
    stage.tell({"kind": "rows", **message})
    settle(stage)


def settle(stage: Stage) -> None:
    """Wait until the page has drawn."""
    stage.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def names(stage: Stage) -> list[str]:
    return stage.page.locator("tr[data-id] .nbbm-name").all_inner_texts()


def click(stage: Stage, name: str) -> None:
    stage.page.get_by_role("button", name=name, exact=True).click()
    settle(stage)


@pytest.mark.parametrize("theme", ["light", "dark", "contrast", "vscode", "plain", "plain-dark"])
def test_everything_stands_out(browser: Browser, theme: str) -> None:
    """Text by 4.5 to 1 and drawings by 3 to 1 in every theme (WCAG AA)."""
    scheme = "dark" if theme == "plain-dark" else "light"
    options = {"scheme": scheme, "reduced_motion": "reduce", "widget": MonitorWidget}
    with staged(browser, **options) as stage:
        if not theme.startswith("plain"):
            stage.theme(theme)
        table(stage, MIXED, trouble="can't ask AWS Batch: no network", older=1200)
        stage.page.get_by_role("checkbox", name="Select train-6").check()
        stage.page.get_by_role("button", name="nodes").click()
        settle(stage)
        stage.page.mouse.move(0, 0)
        stage.shot(f"table-{theme}")
        faint = faint_texts(stage.page) + faint_graphics(stage.page)
        click(stage, "Group by name")
        stage.page.mouse.move(0, 0)
        stage.shot(f"table-{theme}-grouped")

        assert faint == []
        assert faint_texts(stage.page) == []
        assert stage.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_screen_reader_finds_its_way(browser: Browser, theme: str) -> None:
    """axe-core finds nothing: with rows, with groups and parts, and without any."""
    with staged(browser, reduced_motion="reduce", widget=MonitorWidget) as stage:
        stage.theme(theme)
        table(stage, MIXED)
        stage.page.get_by_role("button", name="nodes").click()
        settle(stage)
        plain = stage.violations()
        click(stage, "Group by name")
        grouped = stage.violations()
        stage.page.get_by_role("searchbox").fill("nothing like it")
        stage.page.get_by_text("No job matches").wait_for()

        assert plain == []
        assert grouped == []
        assert stage.violations() == []


@pytest.mark.parametrize("width", [400, 700])
def test_nothing_scrolls_sideways(browser: Browser, width: int) -> None:
    """A narrow page shows each job as a block of lines."""
    with staged(browser, width=width, widget=MonitorWidget) as stage:
        stage.theme("light")
        table(stage, MIXED)
        stage.shot(f"table-{width}")
        wide = stage.page.evaluate(
            "() => [document.documentElement, ...document.querySelectorAll('.nbbm, .nbbm-scroll')]"
            ".filter(el => el.scrollWidth > el.clientWidth + 1).map(el => el.className)"
        )

        assert wide == []


def test_no_jobs_yet(browser: Browser) -> None:
    """An empty table says what to type, and offers the other notebooks'."""
    with staged(browser, widget=MonitorWidget) as stage:
        stage.theme("light")
        table(stage, [])
        stage.page.get_by_text("%%batch above a cell").wait_for()
        stage.shot("table-empty")
        click(stage, "Show all your jobs")

        assert [message["all"] for message in stage.sent() if message["ask"] == "all"] == [True]


def test_what_is_typed_and_pressed(browser: Browser) -> None:
    """Filter, states, order, and selection by keys and with Shift; news leave all of it alone."""
    with staged(browser, widget=MonitorWidget) as stage:
        table(stage, MIXED)
        page = stage.page
        assert names(stage)[:3] == ["train-1", "sweep", "several"]
        page.get_by_role("button", name="Name", exact=True).click()
        settle(stage)
        assert names(stage)[0] == "several"
        assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Name")
        page.get_by_role("searchbox").fill("sweep")
        page.wait_for_function("document.querySelectorAll('tr[data-id]').length === 3")
        page.get_by_role("button", name="Cancelled 1").click()
        settle(stage)
        assert len(names(stage)) == 1
        page.get_by_role("button", name="Cancelled 1").click()
        page.get_by_role("searchbox").fill("")
        page.wait_for_function("document.querySelectorAll('tr[data-id]').length === 8")

        rows = page.locator("tr[data-id]")
        rows.first.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.keyboard.press("Shift+ArrowDown")
        page.keyboard.press("Shift+ArrowDown")
        settle(stage)
        focused = page.evaluate("document.activeElement.dataset.id")
        say(stage, [job(1, name="aaa"), job(30, name="new")], seq=2)
        assert page.locator(".nbbm-picked").inner_text() == "3 selected"
        assert page.evaluate("document.activeElement.dataset.id") == focused
        assert names(stage)[0] == "aaa"
        page.keyboard.press("Enter")
        opened = [m for m in stage.sent() if m["ask"] == "card"]
        assert [m["jobs"] for m in opened] == [[focused]]
        page.get_by_role("checkbox", name="Select all jobs that are shown").check()
        settle(stage)
        page.get_by_role("button", name="selected jobs").click()
        (cancelled,) = [m["jobs"] for m in stage.sent() if m["ask"] == "cancel"]
        assert len(cancelled) == 5
        page.get_by_text("new is new").wait_for(state="attached")
        assert stage.errors == []


def test_a_gap_is_noticed(browser: Browser) -> None:
    """A page that missed a message asks for everything, and shows nothing half."""
    with staged(browser, widget=MonitorWidget) as stage:
        table(stage, MIXED)
        say(stage, [job(40)], seq=5)
        looks = [m["seq"] for m in stage.sent() if m["ask"] == "look"]

        # Every twenty seconds it says again what it has.
        assert looks[:2] == [0, 1]
        assert "train-40" not in names(stage)


def test_many_rows_stay_smooth(browser: Browser) -> None:
    """500 jobs, 200 of which change with each message: no frame takes long, the DOM is bounded."""
    jobs = [job(n) for n in range(200)] + [ended(n) for n in range(200, 500)]
    with staged(browser, widget=MonitorWidget) as stage:
        table(stage, jobs)
        assert len(names(stage)) == 150
        rows = [
            {**row(job(n, usage=Usage(2.0, k * GB, 16 * GB)), NOW).as_json(), "note": ""}
            for k in (6, 7)
            for n in range(200)
        ]
        longest = stage.page.evaluate(
            """async ([rows, now]) => {
              const head = { all: false, older: 0, trouble: "", now };
              const tasks = [];
              const watch = new PerformanceObserver(list =>
                tasks.push(...list.getEntries().map(entry => entry.duration)));
              watch.observe({ entryTypes: ["longtask"] });
              for (let seq = 2; seq < 12; seq++) {
                const part = rows.slice(200 * (seq % 2), 200 * (seq % 2) + 200);
                window.models.one.emit("msg:custom",
                  { kind: "rows", seq, whole: false, head, rows: part, gone: [] });
                await new Promise(done => setTimeout(done, 300));
              }
              watch.disconnect();
              return Math.max(0, ...tasks);
            }""",
            [rows, NOW],
        )
        print(f"longest task {longest:.0f} ms")
        click(stage, "Show 150 more of 350")

        assert len(names(stage)) == 300
        assert stage.errors == []
