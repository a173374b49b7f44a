"""`%%batch` in a real JupyterLab: what a person does in the first minutes."""

from __future__ import annotations

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab, NotebookPage, notebook

pytestmark = pytest.mark.browser

LOAD = "%load_ext nbbatch\nxs = [1, 2]"


def wait_text(nb: NotebookPage, selector: str, text: str) -> None:
    nb.page.locator(selector).filter(has_text=text).first.wait_for(timeout=30_000)


def test_a_cell_as_if_it_had_run_here(lab: Lab, browser: Browser) -> None:
    """The card lives while the job runs and folds; outputs and variables are there after it."""
    job = (
        "%%batch --cpu 4 --name train\n"
        "import time\n"
        "for epoch in range(4):\n"
        "    print('epoch', epoch)\n"
        "    time.sleep(0.5)\n"
        "xs.append(3)\n"
        "{'total': sum(xs)}"
    )
    path = lab.write("as_if_here", [LOAD, job, "print('here', xs)"])
    with notebook(lab, browser, "as_if_here") as nb:
        nb.run_all()
        wait_text(nb, ".nbb-word", "Running")
        wait_text(nb, ".nbb-log", "epoch 1")
        nb.shot("batch-running", of=".nbb")
        nb.wait_idle(60)
        wait_text(nb, "summary", "Succeeded")
        nb.shot("batch-done")

        assert "epoch 3" in nb.output(1)
        assert "{'total': 6}" in nb.output(1)
        assert nb.output(2).strip() == "here [1, 2, 3]"
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
    job = "%%batch --name long\nimport time\nprint('begun')\ntime.sleep(60)"
    name = f"stop_{way}_{kernel}"
    lab.write(name, [LOAD, job], kernel)
    with notebook(lab, browser, name) as nb:
        nb.run_all()
        wait_text(nb, ".nbb-log", "begun")
        if way == "stop":
            nb.page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
        else:
            nb.page.get_by_role("button", name="Cancel long", exact=True).click()
        wait_text(nb, ".jp-OutputArea", "JobCancelledError")
        nb.wait_idle()
        nb.shot(f"batch-{way}")

        assert "was cancelled" in nb.output(1)
        assert "begun" in nb.output(1)
        assert "site-packages" not in nb.output(1)


def test_an_exception_points_into_the_cell(lab: Lab, browser: Browser) -> None:
    """The traceback shows the cell's own lines, and no machinery."""
    lab.write("raises", [LOAD, "%%batch\ny = 1\nxs[99]", "y"])
    with notebook(lab, browser, "raises") as nb:
        nb.run_all()
        wait_text(nb, ".jp-OutputArea", "IndexError")
        nb.shot("batch-exception")

        shown = nb.output(1)
        assert "----> 3 xs[99]" in shown
        assert "run_cell_magic" not in shown
        assert "nbbatch/" not in shown


def test_detach_gives_the_cell_back(lab: Lab, browser: Browser) -> None:
    """Detach on the card frees the notebook; the job goes on and its card folds by itself."""
    job = "%%batch --as job --name later\nimport time\nprint('begun')\ntime.sleep(3)\nz = 5"
    lab.write("detach", [LOAD, job, "print('free', job.done())", "print(job.result(30))"])
    with notebook(lab, browser, "detach") as nb:
        nb.run_all()
        wait_text(nb, ".nbb-log", "begun")
        nb.page.get_by_role("button", name="Detach later", exact=True).click()
        nb.wait_idle(40)
        wait_text(nb, "summary", "Succeeded")

        assert nb.output(2).strip() == "free False"
        assert "'z': 5" in nb.output(3)
