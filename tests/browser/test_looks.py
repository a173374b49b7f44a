"""The card can be read by everybody: themes, contrast, screen readers, small and zoomed pages."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import models
from tests.browser.contrast import faint_graphics, faint_texts
from tests.browser.stage import Stage, staged

pytestmark = pytest.mark.browser

LOG = (
    ("stdout", "".join(f"epoch {n} loss {1 / (n + 1):.3f}\n" for n in range(12))),
    ("stderr", "UserWarning: the learning rate is high\n"),
)
LIVE = {
    "waiting": models.waiting(id="a1"),
    "running": models.running(id="a2"),
    "gpus": models.running(id="a3", usage=models.use(8), asked="4 vCPU, 8 GPUs, 16 GB"),
    "retrying": models.running(id="a4", attempt="attempt 2 of 3", earlier=models.attempts(1)),
    "nodes": models.running(id="a5", parts=models.nodes()),
}
ENDED = {"failed": models.failed(id="b1"), "succeeded": models.ended(id="b2")}
ALL: dict[str, Any] = {**LIVE, **ENDED}


def show(stage: Stage, *names: str, **traits: Any) -> None:
    """Put cards on the stage, each with a log."""
    for name in names or ALL:
        stage.card(ALL[name], name, **traits)
        stage.log(*LOG, key=name)
    stage.page.wait_for_function("() => document.querySelector('.nbb-log').scrollHeight > 0")


def unfold(stage: Stage) -> None:
    """Open what is folded."""
    for toggle in stage.page.locator(".nbb-toggle[aria-expanded=false]").all():
        toggle.click()


@pytest.mark.parametrize("name", ALL)
def test_each_state_is_shown(browser: Browser, name: str) -> None:
    """A picture of each, for people to look at; nothing on it is cut or thrown."""
    with staged(browser) as stage:
        stage.theme("light")
        show(stage, name)
        stage.shot(f"page-{name}")
        if name in ENDED:
            unfold(stage)
            stage.shot(f"page-{name}-unfolded")

        assert stage.errors == []
        assert stage.page.locator(".nbb-word").inner_text() == ALL[name]["word"]


@pytest.mark.parametrize("theme", ["light", "dark", "contrast", "vscode", "plain", "plain-dark"])
def test_everything_stands_out(browser: Browser, theme: str) -> None:
    """Text by 4.5 to 1 and drawings by 3 to 1 in every theme (WCAG AA), folded and unfolded."""
    scheme = "dark" if theme == "plain-dark" else "light"
    with staged(browser, scheme=scheme, reduced_motion="reduce") as stage:
        if not theme.startswith("plain"):
            stage.theme(theme)
        show(stage)
        folded = faint_texts(stage.page) + faint_graphics(stage.page)
        unfold(stage)
        stage.page.mouse.move(0, 0)
        stage.shot(f"page-theme-{theme}")

        assert folded == []
        assert faint_texts(stage.page) == []
        assert faint_graphics(stage.page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_screen_reader_finds_its_way(browser: Browser, theme: str) -> None:
    """axe-core finds nothing to complain about, in any state."""
    with staged(browser, reduced_motion="reduce") as stage:
        stage.theme(theme)
        show(stage)
        folded = stage.violations()
        unfold(stage)

        assert folded == []
        assert stage.violations() == []


@pytest.mark.parametrize(("width", "zoom"), [(400, 1), (640, 2), (1400, 1)])
def test_nothing_scrolls_sideways(browser: Browser, width: int, zoom: int) -> None:
    """A narrow page, and a page of 1280 pixels at 200 %, show a card without a scroll bar."""
    with staged(browser, width=width, device_scale_factor=zoom) as stage:
        stage.theme("light")
        show(stage)
        unfold(stage)
        stage.shot(f"page-{width}")
        wide = stage.page.evaluate("""() => [document.documentElement, ...document.querySelectorAll(
            '.nbb, .nbb *')].filter(el => el.scrollWidth > el.clientWidth + 1 && el.clientWidth
            && ['auto', 'scroll', 'visible'].includes(getComputedStyle(el).overflowX)
            && getComputedStyle(el).display !== 'inline').map(el => el.className)""")

        assert wide == []


def test_nothing_moves_where_that_is_not_wanted(browser: Browser) -> None:
    """A system that asks for less motion gets none; another does."""
    running = "() => document.getAnimations().length"
    with staged(browser, reduced_motion="reduce") as stage:
        show(stage, "running")
        still = stage.page.evaluate(running)
    with staged(browser) as stage:
        show(stage, "running")
        moving = stage.page.evaluate(running)

    assert still == 0
    assert moving > 0


def test_a_card_in_a_row_has_its_width(browser: Browser) -> None:
    """What holds cards may be a flex box, as ipywidgets' boxes are."""
    with staged(browser) as stage:
        stage.page.evaluate("document.getElementById('stage').style.display = 'flex'")
        show(stage, "running")

        assert stage.page.locator(".nbb").bounding_box()["width"] > 900


@pytest.mark.parametrize("count", [20])
def test_many_live_cards_cost_little(browser: Browser, count: int) -> None:
    """Twenty cards whose charts move four times a second leave the page free to do its work."""
    with staged(browser, width=1200) as stage:
        stage.theme("light")
        for i in range(count):
            stage.card(models.running(id=f"job{i}", name=f"job {i}"), f"job{i}")
            stage.log(*LOG, key=f"job{i}")
        stage.page.wait_for_timeout(500)
        cost = stage.page.evaluate(
            """async ([rounds, names]) => {
              const tasks = [];
              const watch = new PerformanceObserver(list => tasks.push(
                ...list.getEntries().map(entry => entry.duration)));
              watch.observe({ type: 'longtask' });
              const changed = new Set();
              const changes = new MutationObserver(list => list.forEach(
                ({ attributeName, target }) => changed.add(attributeName ?? target.nodeName)));
              changes.observe(document.body, { subtree: true, attributes: true, childList: true });
              let spent = 0;
              for (let round = 1; round <= rounds; round++) {
                const start = performance.now();
                for (const name of names) {
                  const model = window.models[name];
                  const card = structuredClone(model.get('card'));
                  for (const figure of card.usage)
                    figure.points = figure.points.map(([at, share], i, all) =>
                      [at + round, all[(i + round) % all.length][1]]);
                  model.set('card', card);
                }
                document.body.getBoundingClientRect();
                spent += performance.now() - start;
                await new Promise(done => setTimeout(done, 250));
              }
              watch.disconnect();
              return { longest: Math.max(0, ...tasks), each: spent / rounds, changed: [...changed] };
            }""",
            [16, [f"job{i}" for i in range(count)]],
        )
        print(f"{count} cards: {cost}")

        assert stage.errors == []
        # Only the charts' paths, what tells of them, and what time changes.
        assert {"d", "style"} >= set(cost["changed"]) - {"SPAN", "#text"}
        assert cost["longest"] < 200  # of a machine that does other things, too
