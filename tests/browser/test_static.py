"""What is left of cards: kernels that end or start again, notebooks that are opened again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab, NotebookPage, notebook
from tests.browser.test_card import choose_no_kernel, forget_kernel

pytestmark = pytest.mark.browser

LOAD = "%load_ext nbbatch"
#: Runs until the test says so, by a file.
LONG = """%%batch --detach --name long
import os, time
print('begun')
end = time.time() + 1200
while not os.path.exists({flag!r}) and time.time() < end:
    time.sleep(0.05)"""
SHORT = "%%batch --name short --cpu 1\nprint('said')\nimport time; time.sleep(1)"
AGAIN = "%batch card short"


def saved(nb: NotebookPage, path: Path) -> list[Any]:
    """Save the notebook and return the outputs in its file."""
    nb.save()
    return [o for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", [])]


def command(nb: NotebookPage, name: str) -> None:
    """Run one of JupyterLab's commands."""
    nb.page.evaluate(f"() => {{ window.jupyterapp.commands.execute('{name}'); }}")


def mimes(outputs: list[Any]) -> list[list[str]]:
    """Return of each card's output in which forms it is there."""
    return [sorted(o.data) for o in outputs if "text/html" in o.get("data", {})]


@pytest.fixture
def flag(tmp_path: Path) -> Iterator[Path]:
    """Give the file that ends a long job; it ends with the test in any case."""
    path = tmp_path / "flag"
    yield path
    path.touch()


PLAIN = ["text/html", "text/plain"]


@pytest.mark.parametrize("how", ["restart", "shutdown"])
def test_cards_are_plain_when_their_kernel_ends(
    lab: Lab, browser: Browser, flag: Path, kernel: str, how: str
) -> None:
    """Restart and Shut Down leave what was last seen, also of a job that had ended."""
    name = f"end-{how}-{kernel}"
    path = lab.write(name, [LOAD, LONG.format(flag=str(flag)), SHORT, AGAIN], kernel)
    with notebook(lab, browser, name) as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "begun")
        # The card that was opened again, not that of the cell.
        nb.page.get_by_role("button", name="Fold short", exact=True).wait_for()
        nb.wait_text(".nbb-word", "Succeeded")
        nb.wait_idle()
        nb.shot(f"static-{how}-before", of=".nbb")
        command(nb, f"kernelmenu:{how}")
        if how == "restart":
            nb.page.locator(".jp-Dialog button.jp-mod-accept").click()
        nb.wait_text("summary", "last seen")
        nb.page.wait_for_function("() => !document.querySelector('.nbb')")
        nb.shot(f"static-{how}-after")
        outputs = saved(nb, path)

    assert mimes(outputs) == [PLAIN] * 3
    assert "widget-view" not in json.dumps(outputs)


def test_a_card_that_was_opened_again_stays_until_it_is_folded(lab: Lab, browser: Browser) -> None:
    """Of an ended job: the whole story is live, Fold leaves the plain form with its log."""
    path = lab.write("fold", [LOAD, SHORT, AGAIN])
    with notebook(lab, browser, "fold") as nb:
        nb.run_all()
        nb.wait_idle()
        nb.wait_text(".nbb-word", "Succeeded")
        nb.page.get_by_role("button", name="Fold short", exact=True).wait_for()
        nb.shot("static-again", of=".nbb")
        nb.page.get_by_role("button", name="Fold short", exact=True).click()
        nb.page.wait_for_function("() => document.querySelectorAll('summary').length === 2")
        nb.page.locator("summary").nth(1).click()
        nb.wait_text("details pre", "said")
        nb.shot("static-folded", of="summary")
        outputs = saved(nb, path)

    assert mimes(outputs) == [PLAIN] * 2


def test_a_running_job_is_opened_again(lab: Lab, browser: Browser, flag: Path) -> None:
    """In another notebook: its card is live, and folds by itself at the job's end."""
    lab.write("first-look", [LOAD, LONG.format(flag=str(flag))])
    path = lab.write("second-look", [LOAD, "%batch card long", "print('free')"])
    with notebook(lab, browser, "first-look") as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "begun")
    with notebook(lab, browser, "second-look") as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "begun")
        nb.wait_text(".nbb-word", "Running")
        nb.wait_text(".jp-OutputArea", "free")
        nb.page.get_by_role("button", name="Cancel long", exact=True).click()
        nb.wait_text("summary", "Cancelled")
        outputs = saved(nb, path)

    assert mimes(outputs) == [PLAIN]


def test_a_page_that_was_loaded_again_leaves_the_plain_form(
    lab: Lab, browser: Browser, flag: Path, kernel: str
) -> None:
    """The kernel can't replace what a page loaded from the file, so the page does."""
    name = f"reloaded-{kernel}"
    path = lab.write(name, [LOAD, LONG.format(flag=str(flag))], kernel)
    with notebook(lab, browser, name) as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "begun")
        nb.wait_idle()
        saved(nb, path)
        nb.page.reload()
        nb.wait_text(".nbb-word", "Running")
        flag.touch()
        nb.wait_text("summary", "Succeeded")
        outputs = saved(nb, path)

    assert mimes(outputs) == [PLAIN]
    assert "begun" in outputs[0].data["text/html"]


STORY = """
import dataclasses, time
from fakejob import *
from nbbatch.facts import Sample, Stay
now = time.time()
first = facts(submitted_at=now - 90)
use = lambda n: Usage(1 + n % 3 / 2, n * GB // 8, 16 * GB, n << 28, disk_limit=30 * GB)
samples = tuple(Sample(now - 60 + n, use(n)) for n in range(60))
stays = (Stay(State.RUNNABLE, 1, now - 90, now - 60), Stay(State.RUNNING, 1, now - 60, now))
last = ended(running(first, started_at=now - 60), stays=stays, samples=samples, peak=use(59))
view = show(first, cancel=print)
for n in range(50):
    view.write("stderr" if n % 9 == 0 else "stdout", f"epoch {n} <b>loss</b>\\n")
view.finish(last)
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_stranger_sees_the_whole_card(
    theme: str, browser: Browser, request: pytest.FixtureRequest
) -> None:
    """Reopened, not trusted, without a kernel: line, story, charts and log are all there."""
    lab = request.getfixturevalue("lab" if theme == "light" else "dark_lab")
    path = lab.write("story", [STORY])
    with notebook(lab, browser, "story") as nb:
        nb.run_all()
        nb.wait_idle()
        nb.wait_text("summary", "Succeeded")
        nb.shot(f"static-story-{theme}-folded", of="summary")
        nb.page.click("summary")
        nb.shot(f"static-story-{theme}", of="summary")
        saved(nb, path)
    forget_kernel(path, lab.root / "stranger.ipynb")
    with notebook(lab, browser, "stranger") as nb:
        choose_no_kernel(nb)
        nb.page.locator("summary").wait_for()
        nb.page.click("summary")
        nb.wait_text("details pre", "epoch 49 <b>loss</b>")
        nb.page.wait_for_function(
            "() => [...document.querySelectorAll('details img')].every(img => img.naturalWidth)"
        )
        drawn = nb.page.evaluate(
            "() => [...document.querySelectorAll('details img')]"
            ".map(img => [img.naturalWidth, img.getBoundingClientRect().width])"
        )
        nb.shot(f"static-stranger-{theme}", of="summary")
        errors = nb.errors

    assert drawn == [[400, 200]] * 3
    assert errors == []
