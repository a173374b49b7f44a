"""A real job's card in a real JupyterLab: its states pass and its charts move."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.contrast import faint_texts
from tests.browser.lab import Lab, notebook

pytestmark = pytest.mark.browser

#: Uses more and more memory for a time, and goes on until the test has seen enough.
JOB = """%%batch --cpu 1 --memory 2000 --name busy
import os, time
kept = []
while not os.path.exists({seen!r}):
    if len(kept) < 600:
        kept.append(bytearray(1 << 20))
    sum(range(20_000))
    time.sleep(0.02)
print(len(kept) > 10)
"""
#: Notes each path that the memory's chart has, and each state that is the current one.
WATCH = """() => {
  window.seen = { paths: new Set(), states: new Set() };
  const look = () => {
    for (const area of document.querySelectorAll('.nbb-area'))
      seen.paths.add(area.getAttribute('d'));
    for (const step of document.querySelectorAll('.nbb-step'))
      if (!step.classList.contains('nbb-next'))
        seen.states.add(step.querySelector('.nbb-step-word').textContent);
  };
  new MutationObserver(look).observe(document.body,
    { subtree: true, childList: true, attributes: true, attributeFilter: ['d', 'class'] });
}"""


def test_states_pass_and_charts_move(lab: Lab, browser: Browser) -> None:
    """A cell on the local backend: timeline, figures, what was given, then the folded form."""
    seen = lab.root / "live_seen"
    lab.write("live", ["%load_ext nbbatch", JOB.format(seen=str(seen))])
    with notebook(lab, browser, "live") as nb:
        nb.page.evaluate(WATCH)
        nb.run_all()
        nb.page.wait_for_function("seen.states.has('Running')")
        chart = nb.page.get_by_role("img", name="Memory over time")
        chart.wait_for()
        nb.page.wait_for_function("seen.paths.size >= 6")
        nb.page.locator(".nbb-now .nbb-step-time").wait_for()
        told = nb.page.locator(".nbb-facts").inner_text()
        name = chart.get_attribute("aria-label") or ""
        low = faint_texts(nb.page)
        nb.shot("live-running", of=".nbb")
        nb.page.get_by_role("button", name="Details of busy").click()
        nb.page.locator(".nbb-body").wait_for(state="hidden")
        nb.shot("live-folded", of=".nbb")
        seen.touch()
        nb.wait_idle()
        nb.page.locator("summary").filter(has_text="Succeeded").wait_for()
        nb.shot("live-ended", of="summary")

        assert nb.page.evaluate("[...seen.states].includes('Submitted')")
        assert "peak" in name
        assert "Python" in told
        assert low == []
        assert nb.errors == []
