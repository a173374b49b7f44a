"""`%%batch` in a real JupyterLab: what a person does in the first minutes."""

from __future__ import annotations

import re

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser.lab import HOLD, Lab, NotebookPage, notebook

pytestmark = pytest.mark.browser

LOAD = "%load_ext nbbatch\nxs = [1, 2]"


def test_a_cell_as_if_it_had_run_here(lab: Lab, browser: Browser) -> None:
    """The card lives while the job runs and folds; outputs and variables are there after it."""
    seen = lab.root / "as_if_here_seen"
    job = (
        "%%batch --cpu 4 --name train\n"
        "import os, time\n"
        "for epoch in range(4):\n"
        "    print('epoch', epoch)\n"
        f"    while epoch == 2 and not os.path.exists({str(seen)!r}):\n"
        "        time.sleep(0.05)\n"
        "xs.append(3)\n"
        "{'total': sum(xs)}"
    )
    path = lab.write("as_if_here", [LOAD, job, "print('here', xs)"])
    with notebook(lab, browser, "as_if_here") as nb:
        nb.run_all()
        nb.wait_text(".nbb-word", "Running")
        nb.wait_text(".nbb-log", "epoch 1")
        nb.shot("batch-running", of=".nbb")
        seen.touch()
        nb.wait_idle()
        nb.wait_text("summary", "Succeeded")
        nb.shot("batch-done")

        nb.wait_output("epoch 3", 1)
        nb.wait_output("{'total': 6}", 1)
        nb.wait_output("here [1, 2, 3]", 2)
        assert nb.errors == []
        nb.save()
    outputs = nbformat.read(path, as_version=4).cells[1].outputs
    assert [o.output_type for o in outputs] == ["display_data", "stream", "execute_result"]
    assert not any("widget-view" in mime for o in outputs for mime in o.get("data", {}))


@pytest.mark.parametrize("way", ["stop", "click"])
def test_stop_cancels_the_job_and_says_so(
    lab: Lab, browser: Browser, kernel: str, way: str
) -> None:
    """Stop in the notebook, or Cancel on the card, ends the job; the cell says that."""
    job = "%%batch --name long\nimport time\nprint('begun')\ntime.sleep(600)"
    name = f"stop_{way}_{kernel}"
    lab.write(name, [LOAD, job], kernel)
    with notebook(lab, browser, name) as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "begun")
        if way == "stop":
            nb.page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
        else:
            nb.page.get_by_role("button", name="Cancel long", exact=True).click()
        nb.wait_text(".jp-OutputArea", "JobCancelledError")
        nb.wait_idle()
        nb.shot(f"batch-{way}")

        nb.wait_output("was cancelled", 1)
        assert "site-packages" not in nb.wait_output("begun", 1)


def test_an_exception_points_into_the_cell(lab: Lab, browser: Browser) -> None:
    """The traceback shows the cell's own lines, and no machinery."""
    lab.write("raises", [LOAD, "%%batch\ny = 1\nxs[99]", "y"])
    with notebook(lab, browser, "raises") as nb:
        nb.run_all()
        nb.wait_text(".jp-OutputArea", "IndexError")
        nb.shot("batch-exception")

        shown = nb.wait_output("----> 3 xs[99]", 1)
        assert "run_cell_magic" not in shown
        assert "nbbatch/" not in shown


def test_detach_gives_the_cell_back(lab: Lab, browser: Browser, kernel: str) -> None:
    """Detach on the card frees the notebook; the job goes on and its card folds by itself."""
    name = f"detach_{kernel}"
    job = f"%%batch --as job --name later\n{HOLD.format(path=str(lab.root / name))}z = 5"
    lab.write(name, [LOAD, job, "print('free', job.done())", "print(job.result(600))"], kernel)
    with notebook(lab, browser, name) as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "step 1")
        nb.page.get_by_role("button", name="Detach later", exact=True).click()
        nb.wait_text(".jp-OutputArea", "free False")
        (lab.root / name).touch()
        nb.wait_idle()
        nb.wait_text("summary", "Succeeded")

        nb.wait_output("'z': 5", 3)


#: The same as a cell, and as a call: a cell awaits, a call blocks.
FORMS = {
    "cell": "%%batch --name long\n{hold}print('last line')",
    "call": "from nbbatch import batch\n@batch(name='long')\ndef held():\n"
    "    exec({hold!r})\n    print('last line')\nheld()",
}


def steps(nb: NotebookPage) -> int:
    """Return how far the job's log has come on the page."""
    found = re.findall(r"step (\d+)", nb.page.locator(".nbb-log").first.inner_text())
    return int(found[-1]) if found else 0


def wait_steps(nb: NotebookPage, more_than: int) -> None:
    """Wait until the log has gone on."""
    nb.page.wait_for_function(
        """least => [...document.querySelectorAll('.nbb-log')].some(log =>
            Number(log.textContent.match(/step (\\d+)(?!.*step)/s)?.[1] ?? 0) > least)""",
        arg=more_than,
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["cancel", "end"])
def test_a_page_that_is_loaded_again_in_mid_job(
    lab: Lab, browser: Browser, kernel: str, form: str, way: str
) -> None:
    """The card is alive again while the cell runs: its log goes on, Cancel works, it ends."""
    name = f"reload_{form}_{way}_{kernel}"
    code = FORMS[form].format(hold=HOLD.format(path=str(lab.root / name)))
    path = lab.write(name, [LOAD, code], kernel)
    with notebook(lab, browser, name) as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "step 2")
        nb.save()
        nb.page.reload()
        nb.wait_text(".nbb-log", "step")
        seen = steps(nb)
        wait_steps(nb, seen)
        nb.shot(f"batch-reloaded-{form}", of=".nbb")
        if way == "cancel":
            nb.page.get_by_role("button", name="Cancel long", exact=True).click()
            nb.wait_text(".nbb-word, summary", "Cancelled")
        else:
            (lab.root / name).touch()
            nb.wait_text(".nbb-word, summary", "Succeeded")
        # The page itself puts the plain form in the card's place.
        nb.page.locator("summary").first.click()
        nb.wait_text("details pre", "step" if way == "cancel" else "last line")
        nb.shot(f"batch-reloaded-{form}-{way}", of="summary")
        nb.save()

        assert nb.errors == []
    (lab.root / name).touch()
    outputs = nbformat.read(path, as_version=4).cells[1].outputs
    assert [sorted(output.data) for output in outputs] == [["text/html", "text/plain"]]


def test_a_kernel_that_is_restarted_in_mid_job(lab: Lab, browser: Browser, kernel: str) -> None:
    """The job goes on; `%batch attach` follows it from the new kernel, its variables come."""
    name = f"restart_{kernel}"
    hold = HOLD.format(path=str(lab.root / name))
    cells = [LOAD, f"%%batch --name long\n{hold}z = 5", "%load_ext nbbatch\n%batch attach long"]
    lab.write(name, [*cells, "print('came', z)"], kernel)
    with notebook(lab, browser, name) as nb:
        nb.run_all()
        nb.wait_text(".nbb-log", "step 2")
        nb.restart()
        # The page itself puts what was known into the card's place.
        nb.wait_text("summary", "last seen")
        nb.shot("batch-restarted", of=".jp-CodeCell:nth-child(2)")
        nb.run_from(2)
        nb.wait_text(".jp-CodeCell:nth-child(3) .nbb-log", "step 3")
        (lab.root / name).touch()
        nb.wait_idle()
        nb.wait_text(".jp-CodeCell:nth-child(3) summary", "Succeeded")
        nb.shot("batch-attached", of=".jp-CodeCell:nth-child(3)")

        nb.wait_output("came 5", 3)
