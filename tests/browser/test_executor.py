"""An executor's card in a real JupyterLab: workers, calls, what they print, Cancel."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.contrast import faint_texts
from tests.browser.lab import Lab, notebook

pytestmark = pytest.mark.browser

LOAD = """import os, time
os.environ['NBBATCH_HOME'] = {home!r}
%load_ext nbbatch
from nbbatch import BatchExecutor

def fit(n):
    import os, time
    print("fitting", n)
    if n == 3:
        raise ValueError("no data")
    while n >= 6 and not os.path.exists({gate!r}):
        time.sleep(0.02)
    return n"""
MAP = """executor = BatchExecutor(2, cpu=0.5)
calls = [executor.submit(fit, n) for n in range(12)]"""
END = """executor.shutdown()
executor"""
CANCEL = """other = BatchExecutor(1, cpu=0.5, name="other")
waiting = [other.submit(time.sleep, 600) for n in range(3)]"""
AFTER = """try:
    waiting[0].result()
except Exception as error:
    print("stopped:", type(error).__name__)
other.shutdown()
print([call.cancelled() or type(call.exception()).__name__ for call in waiting])"""


def test_an_executor(lab: Lab, dark_lab: Lab, browser: Browser, tmp_path: Path) -> None:
    """Live below the cell with the first call, in a light and a dark theme; plain at the end."""
    for name, place in (("light", lab), ("dark", dark_lab)):
        gate = tmp_path / name
        start = LOAD.format(home=str(tmp_path / f"home-{name}"), gate=str(gate))
        file = place.write("executor", [start, MAP, END, CANCEL, AFTER])
        with notebook(place, browser, "executor") as nb:
            nb.page.evaluate(
                "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
            )
            nb.run_all()
            card = nb.page.locator(".jp-CodeCell").nth(1).locator(".nbb")
            card.get_by_text("6 of 12").first.wait_for()
            card.get_by_text("fitting 5").first.wait_for()
            squares = card.locator(".nbb-cell")
            expect(squares).to_have_count(2)
            # The other one may have made all calls so far.
            expect(squares.first).to_have_attribute(
                "aria-label", re.compile("^Worker 0: running · ")
            )
            low = faint_texts(nb.page)
            nb.shot(f"executor-{name}", of=".nbb")
            gate.touch()
            nb.page.locator(".jp-CodeCell").nth(1).locator("summary").first.wait_for()
            ended = nb.wait_output("calls failed", 1)
            nb.shot(f"executor-{name}-ended", of="summary")
            said = nb.wait_output("12 of 12 calls done", 2)
            other = nb.page.locator(".jp-CodeCell").nth(3).locator(".nbb")
            other.get_by_text("running").first.wait_for()
            other.get_by_role("button", name="Cancel").click()
            nb.wait_idle()
            nb.save()

            assert "1 of 12 calls failed" in ended
            assert "12 of 12 calls done, 1 failed" in said
            nb.wait_output("stopped: JobCancelledError\n['JobCancelledError', True, True]", 4)
            assert low == []
            assert nb.errors == []
            saved = nbformat.read(file, 4).cells
            plain = [set(output.data) for cell in saved[1:4:2] for output in cell.outputs]
            assert plain == [{"text/html", "text/plain"}] * 2
