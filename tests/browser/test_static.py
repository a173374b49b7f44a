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

pytestmark = pytest.mark.browser

LOAD = "%load_ext nbbatch"
#: Runs until the test says so, by a file.
LONG = """%%batch --detach --name long
import os, time
print('begun')
end = time.time() + 120
while not os.path.exists({flag!r}) and time.time() < end:
    time.sleep(0.05)"""
SHORT = "%%batch --name short --cpu 1\nprint('said')\nimport time; time.sleep(1)"
AGAIN = "%batch card short"


def wait_text(nb: NotebookPage, selector: str, text: str) -> None:
    """Wait until an element under the selector holds a text."""
    nb.page.locator(selector).filter(has_text=text).first.wait_for(timeout=30_000)


def saved(nb: NotebookPage, path: Path) -> list[Any]:
    """Save the notebook and return the outputs in its file."""
    nb.save()
    nb.page.wait_for_function(
        "() => !window.jupyterapp.shell.currentWidget.context.model.dirty", timeout=10_000
    )
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
        wait_text(nb, ".nbb-log", "begun")
        wait_text(nb, ".nbb-word", "Succeeded")
        nb.shot(f"static-{how}-before", of=".nbb")
        command(nb, f"kernelmenu:{how}")
        if how == "restart":
            nb.page.locator(".jp-Dialog button.jp-mod-accept").click()
        wait_text(nb, "summary", "last seen")
        nb.page.wait_for_function("() => !document.querySelector('.nbb')", timeout=20_000)
        nb.shot(f"static-{how}-after")
        outputs = saved(nb, path)

    assert mimes(outputs) == [PLAIN] * 3
    assert "widget-view" not in json.dumps(outputs)
