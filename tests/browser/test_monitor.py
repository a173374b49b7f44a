"""The monitor in a real JupyterLab, with jobs that really run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab, NotebookPage, notebook

pytestmark = pytest.mark.browser

LOAD = """\
import os
os.environ["NBBATCH_HOME"] = {home!r}
%load_ext nbbatch
import nbbatch
from nbbatch import batch

@batch
def quick(x):
    print("said", x)
    return x

@batch
def fails():
    raise ValueError("no such column: price")

@batch
def slow():
    import os, time
    print("begun")
    while not os.path.exists({home!r} + "/enough"):
        time.sleep(0.05)

@batch
def plots():
    import matplotlib.pyplot as plt
    print("before the plot")
    plt.plot([1, 3, 2])
    plt.show()
"""


def names(nb: NotebookPage) -> list[str]:
    """Return the names in the table, from above."""
    return nb.page.locator(".nbbm tr[data-id] .nbbm-name").all_inner_texts()


def wait_names(nb: NotebookPage, expected: list[str]) -> None:
    nb.page.wait_for_function(
        "e => JSON.stringify([...document.querySelectorAll('.nbbm tr[data-id] .nbbm-name')]"
        ".map(n => n.textContent)) === JSON.stringify(e)",
        arg=expected,
    )


def button(nb: NotebookPage, name: str) -> None:
    nb.page.locator(".nbbm").get_by_role("button", name=name, exact=True).first.click()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for jobs; those that wait for the test end with it in any case."""
    path = tmp_path / "home"
    path.mkdir()
    yield path
    (path / "enough").touch()


def test_jobs_of_a_notebook_live(lab: Lab, browser: Browser, home: Path) -> None:
    """Rows appear and change as jobs do; they can be filtered, sorted and grouped."""
    cells = [
        LOAD.format(home=str(home)),
        "%batch",
        "for n in range(3): quick.submit(n)\nfails.submit()\nlast = slow.submit()",
    ]
    lab.write("monitor", cells)
    with notebook(lab, browser, "monitor") as nb:
        nb.run_all()
        wait_names(nb, ["slow", "fails", "quick", "quick", "quick"])
        nb.wait_text("tr[data-id] .nbbm-state", "Running")
        nb.wait_text("tr[data-id] .nbbm-message", "no such column")
        nb.wait_text(".nbbm-chip", "Succeeded 3")
        nb.shot("monitor", of=".nbbm")

        button(nb, "Name")
        wait_names(nb, ["fails", "quick", "quick", "quick", "slow"])
        button(nb, "Group by name")
        nb.wait_text(".nbbm-grouprow", "3 succeeded")
        nb.page.locator(".nbbm-grouprow").get_by_role("button", name="quick").click()
        wait_names(nb, ["fails", "slow"])
        nb.shot("monitor-grouped", of=".nbbm")
        button(nb, "Group by name")
        nb.page.get_by_role("button", name="Succeeded 3").click()
        wait_names(nb, ["quick", "quick", "quick"])
        nb.page.get_by_role("button", name="Succeeded 3").click()
        nb.page.get_by_role("searchbox").fill("column")
        wait_names(nb, ["fails"])
        nb.shot("monitor-filtered", of=".nbbm")

        assert nb.errors == []


def test_several_are_cancelled(lab: Lab, browser: Browser, home: Path) -> None:
    """Two of three are selected by the keyboard and cancelled at once; the third goes on."""
    cells = [
        LOAD.format(home=str(home)),
        "jobs = [slow.options(name=f'slow-{n}').submit() for n in range(3)]",
        "%batch",
    ]
    lab.write("several", cells)
    with notebook(lab, browser, "several") as nb:
        nb.run_all()
        wait_names(nb, ["slow-2", "slow-1", "slow-0"])
        nb.wait_text(".nbbm-chip", "Running 3")
        first = nb.page.locator("tr[data-id]").first
        first.focus()
        nb.page.keyboard.press("Space")
        nb.page.keyboard.press("Shift+ArrowDown")
        nb.wait_text(".nbbm-picked", "2 selected")
        nb.shot("monitor-selected", of=".nbbm")
        nb.page.get_by_role("button", name="Cancel 2 selected jobs").click()
        nb.wait_text(".nbbm-chip", "Cancelled 2")
        nb.shot("monitor-cancelled", of=".nbbm")
        focused = nb.page.evaluate("document.activeElement.closest('.nbbm') !== null")

        assert focused
        assert nb.page.locator("tr[data-tone=running] .nbbm-name").all_inner_texts() == ["slow-0"]
        assert nb.errors == []
        # Nothing of the test goes on after it.
        nb.page.locator("tr[data-tone=running] input").check()
        nb.page.get_by_role("button", name="Cancel 1 selected jobs").click()
        nb.wait_text(".nbbm-chip", "Cancelled 3")


def test_cards_and_outputs_below_the_table(lab: Lab, browser: Browser, home: Path) -> None:
    """A card opens below the table, of an ended job too; outputs become the notebook's own."""
    cells = [
        LOAD.format(home=str(home)),
        "job = plots.submit()\njob.wait(120)\nslow_one = slow.submit()",
        "%batch",
        "print('a cell after it')",
    ]
    path = lab.write("below", cells)
    with notebook(lab, browser, "below") as nb:
        nb.run_all()
        wait_names(nb, ["slow", "plots"])
        nb.page.get_by_role("button", name="Open the card of slow").click()
        nb.wait_text(".nbb:not(.nbbm) .nbb-name", "slow")
        nb.wait_text(".nbb:not(.nbbm) .nbb-log", "begun")
        nb.shot("monitor-card", of=".nbb:not(.nbbm)")
        row = nb.page.locator("tr[data-id]").filter(has_text="plots")
        row.focus()
        nb.page.keyboard.press("Enter")
        nb.wait_text(".nbb:not(.nbbm) .nbb-name", "plots")
        # The card of a job that has ended is folded.
        nb.page.locator(".nbb:not(.nbbm)").filter(has_text="plots").locator(".nbb-toggle").click()
        nb.wait_text(".nbb:not(.nbbm) .nbb-log", "before the plot")
        # By a key: what stands above may grow or shrink under a pointer.
        nb.page.locator("button[title='Close the card of plots']").press("Enter")
        nb.page.wait_for_function("document.querySelectorAll('.nbb:not(.nbbm)').length === 1")
        # What is left is the other one, which stays when it ends.
        (home / "enough").touch()
        nb.page.locator(".nbb:not(.nbbm)[data-tone=ok]").filter(has_text="slow").wait_for()
        row.locator("input").check()
        nb.page.get_by_role("button", name="Outputs").click()
        cell = nb.page.locator(".jp-CodeCell").nth(2)
        cell.locator(".jp-OutputArea img").wait_for()
        nb.shot("monitor-outputs", of=".jp-OutputArea img")
        assert nb.page.locator(".nbb:not(.nbbm) .nbb-name").inner_text() == "slow"
        nb.page.locator(".nbbm").get_by_role("button", name="Close", exact=True).click()
        nb.page.wait_for_function("!document.querySelector('.nbbm')")
        nb.wait_text(".jp-OutputArea table", "plots")
        nb.save()
        nb.shot("monitor-closed", of=".jp-OutputArea table")
        errors = nb.errors
    outputs = nbformat.read(path, as_version=4).cells[2].outputs

    assert [o.output_type for o in outputs] == ["display_data", "stream", "display_data"]
    assert sorted(outputs[0].data) == ["text/html", "text/plain"]
    assert "before the plot" in outputs[1].text
    assert "image/png" in outputs[2].data
    assert errors == []
