"""An array in a real JupyterLab: the card of `f.map`, and its line in the monitor."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab, NotebookPage, notebook

pytestmark = pytest.mark.browser

LOAD = """\
import os
os.environ["NBBATCH_HOME"] = {home!r}
%load_ext nbbatch
from nbbatch import batch

@batch(cpu=0.5)
def simulate(seed):
    import os, time
    if seed in (3, 11):
        raise ValueError(f"no data for seed {{seed}}")
    while seed >= 16 and not os.path.exists({gate!r}):
        time.sleep(0.05)
    return seed ** 2

sweep = simulate.map(range(24))
print(sweep.id)
"""


def wait_text(nb: NotebookPage, selector: str, text: str) -> None:
    nb.page.locator(selector).filter(has_text=text).first.wait_for(timeout=60_000)


def cells(nb: NotebookPage, within: str) -> list[str]:
    """Return what the first squares of the grid say, from the top."""
    found = nb.page.locator(f"{within} .nbb-cell")
    return [str(found.nth(i).get_attribute("aria-label")) for i in range(3)]


FAILED = [f"Child {n}: failed · ValueError: no data for seed {n}" for n in (3, 11)]


def test_an_array_on_its_card_and_in_the_monitor(
    lab: Lab, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A grid with the failed ones on top, how many are done; live, and again after the end."""
    folder = tmp_path_factory.mktemp("array")
    gate = folder / "gate"
    start = LOAD.format(home=str(folder / "home"), gate=str(gate))
    lab.write("arrays", [start, "%batch card {sweep.id}", "%batch", "list(sweep)[-1:]"])
    with notebook(lab, browser, "arrays") as nb:
        nb.run_all()
        wait_text(nb, ".nbb .nbb-loop-text", "16 of 24 done, 2 failed")
        wait_text(nb, ".nbb .nbb-parts-title", "24 children")
        wait_text(nb, ".nbb .nbb-step-word", "Running 16 of 24")
        assert cells(nb, ".nbb")[:2] == FAILED
        nb.shot("array-card")
        wait_text(nb, ".nbbm tr[data-id]", "16 of 24 done, 2 failed")
        fold = nb.page.locator(".nbbm .nbbm-fold").filter(has_text="children 24:").first
        fold.click()
        wait_text(nb, ".nbbm .nbb-parts-title", "24 children")
        assert cells(nb, ".nbbm")[:2] == FAILED
        nb.shot("array-monitor")
        gate.touch()
        wait_text(nb, ".nbbm .nbb-part-count", "22 succeeded")
        wait_text(nb, ".nbb", "2 of 24 failed")
        nb.wait_idle()
        nb.shot("array-ended")
        assert "ValueError: no data for seed 3" in nb.output(3)
