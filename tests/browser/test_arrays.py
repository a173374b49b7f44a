"""An array in a real JupyterLab: the card of `f.map`, and its line in the monitor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import Lab, NotebookPage, notebook
from tests.libraries.shop import Made, wheel

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


def wait_cells(nb: NotebookPage, within: str, said: list[str]) -> None:
    """Wait until the first squares of the grid say that: why a child failed is learned later."""
    found = nb.page.locator(f"{within} .nbb-cell")
    for i, each in enumerate(said):
        expect(found.nth(i)).to_have_attribute("aria-label", each)


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
        nb.wait_text(".nbb .nbb-loop-text", "16 of 24 done, 2 failed")
        nb.wait_text(".nbb .nbb-parts-title", "24 children")
        nb.wait_text(".nbb .nbb-step-word", "Running 16 of 24")
        wait_cells(nb, ".nbb", FAILED)
        nb.shot("array-card")
        nb.wait_text(".nbbm tr[data-id]", "16 of 24 done, 2 failed")
        fold = nb.page.locator(".nbbm .nbbm-fold").filter(has_text="children 24:").first
        fold.click()
        nb.wait_text(".nbbm .nbb-parts-title", "24 children")
        wait_cells(nb, ".nbbm", FAILED)
        nb.shot("array-monitor")
        gate.touch()
        nb.wait_text(".nbbm .nbb-part-count", "22 succeeded")
        nb.wait_text(".nbb", "2 of 24 failed")
        nb.wait_idle()
        nb.shot("array-ended")
        nb.wait_output("ValueError: no data for seed 3", 3)


ASKING = """\
import os
os.environ.update(NBBATCH_HOME={home!r}, UV_DEFAULT_INDEX={index!r}, UV_CACHE_DIR={cache!r})
%load_ext nbbatch
from nbbatch import batch

@batch(cpu=0.5, pypi=["tinylib"])
def look(number):
    import tinylib
    return tinylib.__version__, number
"""


class Index:
    """An index with one wheel, that answers only from a moment on."""

    def __init__(self, wheel: Path) -> None:
        self.opened = threading.Event()
        opened = self.opened

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                opened.wait()
                page = f'<a href="/{wheel.name}">{wheel.name}</a>'.encode()
                data = wheel.read_bytes() if self.path.endswith(".whl") else page
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Let go of whoever still waits."""
        self.opened.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Serve an index that has a small library, once it is opened."""
    found = Index(wheel(Made("tinylib", "1.5", {"tinylib.py": "__version__ = '1.5'\n"}), tmp_path))
    yield found
    found.close()


def test_the_steps_before_an_array(
    lab: Lab, browser: Browser, tmp_path: Path, index: Index
) -> None:
    """The card is there before the job, says what is done for it, and its Cancel is heard."""
    home, cache = str(tmp_path / "home"), str(tmp_path / "cache")
    start = ASKING.format(home=home, cache=cache, index=index.url)
    lab.write("steps", [start, "look.map(range(3))", "list(look.map(range(3)))"])
    with notebook(lab, browser, "steps") as nb:
        nb.run_all()
        nb.wait_text(".nbb", "resolving tinylib")
        nb.shot("array-steps", of=".nbb")
        nb.page.locator(".nbb").get_by_role("button", name="Cancel").first.click()
        nb.wait_text(".jp-OutputArea", "look was not started, and nothing of it is left")
        nb.wait_idle()
        nb.shot("array-steps-cancelled")
        index.opened.set()
        nb.run_from(2)
        nb.wait_text(".jp-OutputArea", "('1.5', 2)")
        nb.shot("array-steps-ended")

        assert nb.errors == []
