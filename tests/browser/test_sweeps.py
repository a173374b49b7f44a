"""``%%batch --for`` in a real JupyterLab: the card, the table, failing points, the data frame."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.contrast import faint_texts
from tests.browser.lab import Lab, notebook

pytestmark = pytest.mark.browser

LOAD = "import os\nos.environ['NBBATCH_HOME'] = {home!r}\n%load_ext nbbatch"
GOOD = """%%batch --for lr=[0.1, 0.01] --for seed=range(3) --cpu 0.5
loss = lr * (seed + 1)
print("point", lr, seed)
history = [loss / (epoch + 1) for epoch in range(30)]
"""
#: One point of it has no data.
BAD = """%%batch --for lr=[0.1, 0.01] --for seed=range(3) --cpu 0.5 --as bad
if seed == 2 and lr < 0.1:
    raise ValueError(f"no data for seed {seed}, <b>at all</b>")
loss = lr * seed
"""


def test_a_sweep(lab: Lab, dark_lab: Lab, browser: Browser, tmp_path: Path) -> None:
    """What a person sees of it, in a light and a dark theme, wide and narrow."""
    for name, place in (("light", lab), ("dark", dark_lab)):
        start = LOAD.format(home=str(tmp_path / name))
        place.write("sweep", [start, GOOD, "sweep.to_pandas()", BAD, "bad", "bad.errors()"])
        with notebook(place, browser, "sweep") as nb:
            nb.run_all()
            under = nb.page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea")
            under.locator("table tr").nth(6).wait_for()
            nb.page.locator(".jp-CodeCell").nth(3).locator(".jp-RenderedText").first.wait_for()
            nb.wait_idle()
            nb.shot(f"sweep-{name}")
            head = under.locator("table").last.locator("th").all_inner_texts()
            row = under.locator("table").last.locator("tr").nth(6).locator("td").all_inner_texts()
            frame = nb.output(2)
            failed = nb.output(3)
            nb.shot(f"sweep-{name}-failed", of=".jp-CodeCell:nth-child(4) .jp-OutputArea")
            nb.run_from(4)
            rows = nb.page.locator(".jp-CodeCell").nth(4).locator("tr")
            rows.nth(6).wait_for()
            nb.wait_idle()
            last = rows.nth(6).locator("td").all_inner_texts()
            low = faint_texts(nb.page)
            nb.page.evaluate(
                "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
            )
            nb.page.set_viewport_size({"width": 400, "height": 800})
            rows.first.scroll_into_view_if_needed()
            nb.shot(f"sweep-{name}-narrow")

            assert head == ["", "lr", "seed", "loss", "history"]
            assert row[:4] == ["5", "0.01", "2", "0.03"]
            assert "0.01" in frame and "history" in frame
            assert "ValueError: no data for seed 2" in failed
            assert "lr = 0.01, seed = 2\n1 of 6 points failed; bad has the others" in failed
            assert "nbbatch" not in failed
            assert last[:3] == ["5", "0.01", "2"]
            assert last[-1] == "ValueError: no data for seed 2, <b>at all</b>"
            assert "{5: ValueError(" in nb.output(5)
            assert low == []
            assert nb.errors == []
