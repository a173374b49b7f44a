"""A job in Notebook 7: the card is the same there as in JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.contrast import faint_texts
from tests.browser.lab import HOLD, Lab, NotebookPage, notebook

pytestmark = pytest.mark.browser


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
        nb.wait_text(".nbb-word", "Running")
        nb.wait_text(".nbb-log", "step 3")
        nb.shot("notebook7-running", of=".nbb")
        go.touch()
        nb.wait_idle()
        nb.wait_text("summary", "Succeeded")
        nb.page.click("summary")
        nb.shot("notebook7-folded", of="summary")

        nb.wait_output("{'result': 1}", 1)
        nb.wait_output("next 2", 2)
        expect(nb.page.locator(".nbb")).to_have_count(0)
        assert errors(nb) == []


def test_cancel_and_a_page_that_is_loaded_again(notebook7: Lab, browser: Browser) -> None:
    """After a reload in mid-job the card is alive; its Cancel ends the job."""
    write(notebook7, "cancel")
    with notebook(notebook7, browser, "cancel") as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "step 2")
        nb.save()
        nb.page.reload()
        nb.wait_text(".nbb-log", "step")
        nb.page.get_by_role("button", name="Cancel train", exact=True).click()
        nb.wait_text("summary", "Cancelled")
        nb.shot("notebook7-cancelled", of="summary")

        assert errors(nb) == []


@pytest.mark.parametrize("server", ["dark_notebook7", "contrast_lab"])
def test_other_themes(server: str, browser: Browser, request: pytest.FixtureRequest) -> None:
    """Text stands out in the dark theme of Notebook 7, and in that of high contrast."""
    lab: Lab = request.getfixturevalue(server)
    go = write(lab, "theme")
    with notebook(lab, browser, "theme") as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "step 3")
        nb.shot(f"theme-{server}", of=".nbb")
        low = faint_texts(nb.page)
        go.touch()
        nb.wait_text("summary", "Succeeded")
        nb.shot(f"theme-{server}-folded", of="summary")

        assert low == []
