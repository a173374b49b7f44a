"""The card can be read by everybody: themes, contrast, screen readers, small and zoomed pages."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession

from tests.browser import models
from tests.browser.contrast import faint_graphics, faint_texts
from tests.browser.stage import Stage, staged

pytestmark = pytest.mark.browser

LOG = (
    ("stdout", "".join(f"epoch {n} loss {1 / (n + 1):.3f}\n" for n in range(12))),
    ("stderr", "UserWarning: the learning rate is high\n"),
)
LIVE = {
    "waiting": models.waiting(),
    "running": models.running(),
    "gpus": models.running(usage=models.use(8), asked="4 vCPU, 8 GPUs, 16 GB"),
    "retrying": models.running(attempt="attempt 2 of 3", earlier=models.attempts(1)),
    "loops": models.running(bars=models.loops(), more_bars="and 2 more"),
    "nodes": models.running(parts=models.nodes()),
}
ENDED = {"failed": models.failed(), "succeeded": models.ended()}
ALL: dict[str, Any] = {
    key: {**card, "id": f"20260131-094500-{key}", "name": f"train {key}"}
    for key, card in {**LIVE, **ENDED}.items()
}


def show(stage: Stage, *names: str, **traits: Any) -> None:
    """Put cards on the stage, each with a log."""
    for name in names or ALL:
        stage.card(ALL[name], name, **traits)
        stage.log(*LOG, key=name)
    # What is folded need not be painted.
    stage.page.wait_for_function(
        """() => [...document.querySelectorAll('.nbb:not(.nbb-folded) .nbb-log')]
            .every(log => log.textContent.includes('epoch 11'))"""
    )


def unfold(stage: Stage) -> None:
    """Open what is folded."""
    folded = stage.page.locator(".nbb-toggle[aria-expanded=false]")
    while folded.count():
        folded.first.click()


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
        beyond = stage.page.evaluate(
            """() => [...document.querySelectorAll('.nbb *')].filter(el => el.checkVisibility()
                && el.getBoundingClientRect().right > window.innerWidth + 0.5)
                .map(el => el.className)"""
        )
        scrolls = stage.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

        assert beyond == []
        assert not scrolls


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


#: Moves the charts of cards some times, four times a second, as their kernel would.
MOVE = """async ([rounds, names]) => {
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) {
      const model = window.models[name];
      const card = structuredClone(model.get('card'));
      for (const figure of card.usage)
        figure.points = figure.points.map(([at, share], i, all) =>
          [at + round, all[(i + round) % all.length][1]]);
      model.set('card', card);
    }
    await new Promise(done => setTimeout(done, 250));
  }
}"""
#: Collects which attributes of which elements change.
WATCH = """() => {
  window.changed = {};
  new MutationObserver(list => list.forEach(({ attributeName, target }) => {
    const name = target.className?.baseVal ?? target.className ?? target.nodeName;
    const key = `${name} ${attributeName ?? 'text'}`;
    window.changed[key] = (window.changed[key] ?? 0) + 1;
  })).observe(document.body, { subtree: true, attributes: true, childList: true });
}"""


def test_many_live_cards_cost_little(browser: Browser) -> None:
    """Twenty cards whose charts move four times a second leave the page free for other work."""
    rounds, names = 12, [f"job{i}" for i in range(20)]
    with staged(browser, width=1200) as stage:
        stage.theme("light")
        for name in names:
            stage.card(models.running(id=name, name=name), name)
            stage.log(*LOG, key=name)
        devtools = stage.page.context.new_cdp_session(stage.page)
        # The thread's own time: what else the machine does is not counted.
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = metrics(devtools)
        stage.page.evaluate(MOVE, [rounds, names])
        spent = {key: value - before[key] for key, value in metrics(devtools).items()}
        stage.page.evaluate(WATCH)
        stage.page.evaluate(MOVE, [2, names[:1]])
        changed = stage.page.evaluate("window.changed")
        each = 1000 * spent["TaskDuration"] / rounds / len(names)
        print(f"a redraw costs {each:.1f} ms; {spent['LayoutCount']} layouts in {rounds} rounds")

        assert stage.errors == []
        assert [
            change
            for change in changed
            if not change.endswith((" d", " text")) and not change.startswith("nbb-log ")
        ] == []
        assert changed["nbb-area d"] == 2 * len(models.use())
        # Nothing is measured between two changes: no more layouts than pictures that differ.
        assert spent["LayoutCount"] <= 4 * rounds
        assert each < 25


def metrics(devtools: CDPSession) -> dict[str, float]:
    """Return the browser's own account of what a page costs."""
    return {
        metric["name"]: metric["value"]
        for metric in devtools.send("Performance.getMetrics")["metrics"]
    }
