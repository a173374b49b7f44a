"""Bars on the card of a real job, in a real JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, expect

from nbbatch.widgets.model.bars import Bar
from tests.browser import models
from tests.browser.contrast import faint_graphics, faint_texts
from tests.browser.lab import Lab, NotebookPage, notebook
from tests.browser.stage import staged

pytestmark = pytest.mark.browser

LOAD = "%load_ext nbbatch\nimport nbbatch, os, time"
#: Goes on where the test has seen enough, and says so in a file.
JOB = """%%batch --name train
from tqdm.auto import tqdm
def wait(name):
    while not os.path.exists(f"{folder}/{name}"):
        time.sleep(0.02)
for epoch in nbbatch.progress(range(4), label="epochs", unit="epoch"):
    for step in tqdm(range(8), desc="steps", leave=False):
        if epoch == 1 and step == 2:
            wait("middle")
        # Longer than tqdm waits between two drawings.
        time.sleep(0.15 if epoch == 1 and step < 2 else 0.01)
with nbbatch.progress(unit="B", label="<b>download</b>") as bar:
    bar.update(3 << 20)
    wait("bytes")
for n in nbbatch.progress(range(9), label="cut short"):
    if n == 3:
        break
wait("end")
"""


BARS = (
    Bar("epochs", "12 of 40 epochs, 3 m 5 s/epoch, 1 h 26 m left", 0.3),
    Bar("train, loss=0.214, acc=0.93, and a label that is a good deal too long", "120 it", None),
    Bar("", "3.1 of 12 MB in 3.4 s, 912 kB/s", 0.26, closed=True),
    Bar("load", "500 it in 3.4 s, 147/s", 1.0, closed=True),
    Bar("stream", "1,234,567 it in 3.4 s", None, closed=True),
)


def bar(nb: NotebookPage, label: str) -> Locator:
    """Return a bar as a screen reader names it."""
    return nb.page.get_by_role("progressbar", name=label, exact=True)


def wait_value(nb: NotebookPage, label: str, value: str) -> None:
    nb.page.locator(f'[role=progressbar][aria-label="{label}"][aria-valuenow="{value}"]').wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_of_a_cell(request: pytest.FixtureRequest, browser: Browser, theme: str) -> None:
    """Ours and tqdm's bars move on the card, say their figures, and stop as they end."""
    lab: Lab = request.getfixturevalue("lab" if theme == "light" else "dark_lab")
    name = f"progress_{theme}"
    folder = lab.root / f"{name}_gates"
    folder.mkdir()
    lab.write(name, [f"{LOAD}\nfolder = {str(folder)!r}", JOB])
    with notebook(lab, browser, name) as nb:
        nb.page.emulate_media(reduced_motion="reduce")
        nb.run_all()
        wait_value(nb, "epochs", "25")
        wait_value(nb, "steps", "25")
        nb.shot(f"bars-moving-{theme}", of=".nbb-bars")
        value = re.compile("^1 of 4 epoch")
        expect(bar(nb, "epochs")).to_have_attribute("aria-valuetext", value)
        expect(nb.page.locator(".nbb-loop").nth(1)).to_contain_text("8 it")
        (folder / "middle").touch()
        wait_value(nb, "epochs", "100")

        # Its label is text, and it has no end: no value, and under reduced motion no motion.
        endless = bar(nb, "<b>download</b>")
        endless.wait_for()
        nb.wait_text(".nbb-loop", "3 MB")
        assert endless.get_attribute("aria-valuenow") is None
        running = "element => getComputedStyle(element.firstChild).animationName"
        assert endless.evaluate(running) == "none"
        nb.page.emulate_media(reduced_motion="no-preference")
        assert endless.evaluate(running) == "nbb-endless"
        nb.shot(f"bars-endless-{theme}", of=".nbb-bars")
        expect(bar(nb, "steps")).to_have_count(0)
        (folder / "bytes").touch()
        wait_value(nb, "cut short", "33")
        nb.wait_text(".nbb-loop-over", "3 of 9 it")
        nb.shot(f"bars-over-{theme}", of=".nbb-bars")
        (folder / "end").touch()
        nb.wait_idle()
        nb.wait_text("summary", "Succeeded")

        assert nb.errors == []


@pytest.mark.parametrize("theme", ["light", "dark", "contrast", "vscode", "plain"])
def test_bars_are_for_everybody(browser: Browser, theme: str) -> None:
    """They stand out in every theme, have names, and find room on a narrow page."""
    with staged(browser, reduced_motion="reduce") as stage:
        if theme != "plain":
            stage.theme(theme)
        stage.card(models.running(bars=BARS, more_bars="and 3 more"))
        stage.shot(f"bars-{theme}")
        whole = [[".nbb-loop:not(.nbb-loop-endless) .nbb-loop-bar", "backgroundColor"]]

        assert stage.page.get_by_role("progressbar").count() == len(BARS)
        assert faint_texts(stage.page) == []
        assert faint_graphics(stage.page, whole) == []
        assert stage.violations() == []
        stage.page.set_viewport_size({"width": 400, "height": 900})
        stage.shot(f"bars-narrow-{theme}")
        box = stage.page.locator(".nbb-bars")
        assert box.evaluate("element => element.scrollWidth <= element.clientWidth")
