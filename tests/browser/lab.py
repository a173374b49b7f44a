"""A JupyterLab or Notebook 7 of our own, and pages of it in a headless Chromium.

Everything that JupyterLab keeps (home, configuration, settings, runtime files) lies in one
folder of the test run; nothing of the user's is read. Screenshots go to the folder that
``NBBATCH_TEST_ARTIFACTS`` names.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, BrowserContext, Page

from tests import kernels

CHROMIUM = "/usr/bin/chromium"
#: Seconds for what must come. On a busy machine it comes late: only what never comes is a failure.
PATIENCE = 180.0
#: Of a cell: prints a line every now and then, until a file is there.
HOLD = """import os, time
n = 0
while not os.path.exists({path!r}):
    n += 1
    print('step', n, flush=True)
    time.sleep(0.2)
"""
ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_STATUS = "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status"
_RUN = "window.jupyterapp.commands.execute('notebook:run-all-cells')"


class Lab:
    """One server process: of JupyterLab (``lab``), or of Notebook 7 (``notebook``)."""

    def __init__(
        self, folder: Path, *, theme: str = "JupyterLab Light", application: str = "lab"
    ) -> None:
        self.root = folder / "notebooks"
        self._folder = folder
        self._notebook = application == "notebook"
        self.root.mkdir(parents=True)
        self._set("themes", {"theme": theme})
        self._set("notification", {"fetchNews": "false", "checkForUpdates": False})
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (folder / "lab.log").open("wb")
        self._process = subprocess.Popen(
            self._command(), env=self._environment(), stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip
        self._wait_until_up()

    def _set(self, plugin: str, settings: dict[str, Any]) -> None:
        name = f"@jupyterlab/apputils-extension/{plugin}.jupyterlab-settings"
        path = self._folder / "settings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))

    def _command(self) -> list[str]:
        return [
            sys.executable,
            "-m",
            "notebook" if self._notebook else "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--expose-app-in-browser",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
            "--ServerApp.password=",
            "--ServerApp.disable_check_xsrf=True",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.news_url=None",
            # What a kernel leaves as it ends is tested: it is not killed before it has.
            "--KernelManager.shutdown_wait_time=60",
        ]

    def page(self, name: str) -> str:
        """Return the address of a notebook's page, laid out as for a new user."""
        return f"{self.url}/{'notebooks' if self._notebook else 'lab/tree'}/{name}.ipynb?reset"

    def _environment(self) -> dict[str, str]:
        names = {"HOME": "home", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data"}
        names.update(JUPYTER_RUNTIME_DIR="run", JUPYTERLAB_SETTINGS_DIR="settings")
        names.update(JUPYTERLAB_WORKSPACES_DIR="workspaces", IPYTHONDIR="ipython")
        own = {name: str(self._folder / place) for name, place in names.items()}
        own["JUPYTER_PATH"] = str(kernels.jupyter_path())
        return {**os.environ, **own, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}

    def _wait_until_up(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        self.close()
        raise RuntimeError((self._folder / "lab.log").read_text(errors="replace")[-3000:])

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/status", timeout=10):
                return True
        except OSError:
            return False

    def close(self) -> None:
        """End the server and its kernels."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def write(self, name: str, cells: list[str], kernel: str = "python3") -> Path:
        """Write a notebook of code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        notebook.metadata["kernelspec"] = {"name": kernel, "display_name": kernel}
        path = self.root / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NotebookPage:
    """A notebook that is open in the browser."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name
        self.errors: list[str] = []
        self.frames: list[str] = []  # what came over the websocket, as text
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("websocket", self._listen)

    def _listen(self, socket_: Any) -> None:
        socket_.on("framereceived", lambda data: self.frames.append(str(data)))

    def open(self, lab: Lab) -> NotebookPage:
        """Open it, and wait until its cells are there."""
        self.page.goto(lab.page(self.name))
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        return self

    def run_all(self) -> None:
        """Start all cells; returns at once."""
        self.page.wait_for_function(f"{_STATUS} === 'idle'")
        self.page.evaluate(f"() => {{ {_RUN}; }}")

    def wait_idle(self) -> None:
        """Wait until no cell is queued or running."""
        self.page.wait_for_function(
            "() => ![...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
            ".some(prompt => prompt.textContent.includes('*'))"
        )

    def wait_frame(self, text: str) -> None:
        """Wait until a message from the kernel holds a text."""
        end = time.monotonic() + PATIENCE
        while not any(text in frame for frame in self.frames):
            if time.monotonic() > end:
                raise TimeoutError(f"no {text} from the kernel")
            self.page.wait_for_timeout(50)

    def run_from(self, cell: int) -> None:
        """Start a cell and all below it; returns at once."""
        self.page.wait_for_function(f"{_STATUS} === 'idle'")
        self.page.evaluate(
            """cell => {
                window.jupyterapp.shell.currentWidget.content.activeCellIndex = cell;
                window.jupyterapp.commands.execute('notebook:run-all-below');
            }""",
            cell,
        )

    def restart(self) -> None:
        """Restart the kernel, without a question."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
        )

    def save(self) -> None:
        """Save the notebook as a user does, and wait until the file holds what the page shows."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function(
            "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"
        )

    def output(self, cell: int = 0) -> str:
        """Return the text that stands under a cell."""
        return self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea").inner_text()

    def wait_output(self, text: str, cell: int = 0) -> str:
        """Wait until a text stands under a cell: it is painted after the cell has ended."""
        end = time.monotonic() + PATIENCE
        while text not in (said := self.output(cell)):
            assert time.monotonic() < end, f"{text!r} is not in {said!r}"
            self.page.wait_for_timeout(50)
        return said

    def wait_text(self, selector: str, text: str) -> None:
        """Wait until an element under the selector is seen, and holds a text."""
        self.page.locator(selector).filter(has_text=text).first.wait_for()

    def shot(self, label: str, *, of: str = "") -> Path:
        """Keep a screenshot with the other artifacts; the element `of` is in view."""
        if of:
            self.page.locator(of).first.scroll_into_view_if_needed()
        path = keep(f"{label}.png")
        self.page.screenshot(path=path)
        return path


def wait_file(path: Path) -> None:
    """Wait until a file is there."""
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end, f"there is no {path}"
        time.sleep(0.02)


def patient(browser: Browser, **options: Any) -> BrowserContext:
    """Open a context in which whatever is waited for may come late."""
    context = browser.new_context(**options)
    context.set_default_timeout(1000 * PATIENCE)
    return context


def keep(name: str) -> Path:
    """Return the path of an artifact, in a folder that is there."""
    folder = os.environ.get("NBBATCH_TEST_ARTIFACTS")
    path = Path(folder) if folder else Path(tempfile.gettempdir()) / "nbbatch-artifacts"
    path.mkdir(parents=True, exist_ok=True)
    return path / name


@contextmanager
def notebook(lab: Lab, browser: Browser, name: str) -> Iterator[NotebookPage]:
    """Open a notebook in a page of its own; its kernel is shut down at the end."""
    context = patient(browser, viewport={"width": 1200, "height": 900})
    try:
        yield NotebookPage(context.new_page(), name).open(lab)
    finally:
        context.close()
        _end_kernels(lab)


def _end_kernels(lab: Lab) -> None:
    with urllib.request.urlopen(f"{lab.url}/api/sessions") as answer:
        sessions = json.load(answer)
    for session in sessions:
        url = f"{lab.url}/api/sessions/{session['id']}"
        # The test itself may have shut it down.
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).close()
