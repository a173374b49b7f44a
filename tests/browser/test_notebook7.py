"""A job in Notebook 7: the card is the same there as in JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.contrast import faint_texts
from tests.browser.lab import Lab, NotebookPage, notebook

pytestmark = pytest.mark.browser

HOLD = """import os, time
n = 0
while not os.path.exists({path!r}):
    n += 1
    print('step', n, flush=True)
    time.sleep(0.2)
"""


def wait_text(nb: NotebookPage, selector: str, text: str) -> None:
    nb.page.locator(selector).filter(has_text=text).first.wait_for(timeout=60_000)


def errors(nb: NotebookPage) -> list[str]:
    """Return what went wrong in the page, but for what an empty Notebook 7.6 says, too."""
    return [error for error in nb.errors if "reading 'schema'" not in error]


def write(server: Lab, name: str) -> Path:
    """Write a notebook whose job runs until a file is there; return the file's path."""
    go = server.root / "go" / name
    go.parent.mkdir(exist_ok=True)
    job = f"%%batch --cpu 2 --name train\n{HOLD.format(path=str(go))}{{'result': 1}}"
    server.write(name, ["%load_ext nbbatch", job, "print('next', 1 + 1)"])
    return go


def test_from_submit_to_the_folded_card(notebook7: Lab, browser: Browser) -> None:
    """The state shows, the log streams, outputs follow the card, and it is folded at the end."""
    go = write(notebook7, "states")
    with notebook(notebook7, browser, "states") as nb:
        nb.run_all()
        wait_text(nb, ".nbb-word", "Running")
        wait_text(nb, ".nbb-log", "step 3")
        nb.shot("notebook7-running", of=".nbb")
        go.touch()
        nb.wait_idle(60)
        wait_text(nb, "summary", "Succeeded")
        nb.page.click("summary")
        nb.shot("notebook7-folded", of="summary")

        assert "{'result': 1}" in nb.output(1)
        assert nb.output(2).strip() == "next 2"
        assert nb.page.locator(".nbb").count() == 0
        assert errors(nb) == []


def test_cancel_and_a_page_that_is_loaded_again(notebook7: Lab, browser: Browser) -> None:
    """After a reload in mid-job the card is alive; its Cancel ends the job."""
    write(notebook7, "cancel")
    with notebook(notebook7, browser, "cancel") as nb:
        nb.run_all()
        wait_text(nb, ".nbb-log", "step 2")
        nb.save()
        nb.wait_saved()
        nb.page.reload()
        wait_text(nb, ".nbb-log", "step")
        nb.page.get_by_role("button", name="Cancel train", exact=True).click()
        wait_text(nb, "summary", "Cancelled")
        nb.shot("notebook7-cancelled", of="summary")

        assert errors(nb) == []


@pytest.mark.parametrize("server", ["dark_notebook7", "contrast_lab"])
def test_other_themes(server: str, browser: Browser, request: pytest.FixtureRequest) -> None:
    """Text stands out in the dark theme of Notebook 7, and in that of high contrast."""
    lab: Lab = request.getfixturevalue(server)
    go = write(lab, "theme")
    with notebook(lab, browser, "theme") as nb:
        nb.run_all()
        wait_text(nb, ".nbb-log", "step 3")
        nb.shot(f"theme-{server}", of=".nbb")
        low = faint_texts(nb.page)
        go.touch()
        wait_text(nb, "summary", "Succeeded")
        nb.shot(f"theme-{server}-folded", of="summary")

        assert low == []
