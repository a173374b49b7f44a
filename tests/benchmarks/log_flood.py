"""What a flood of lines costs: ``python tests/benchmarks/log_flood.py [20000] [1000000]``.

A JupyterLab in a headless Chromium, a card, and a job that prints 20,000 lines of 87 bytes in 2 s,
or a million as fast as they are taken. Printed are the bounds of the project: how late the last
line is seen, the longest time for which the page does nothing else, what the kernel spends on it
(the same lines given to nobody subtracted), what the page holds, and whether the downloaded file is
what the job said.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from timing import heading  # noqa: E402

from tests.browser.lab import CHROMIUM, FLAGS, Lab, NotebookPage, notebook  # noqa: E402

CELL = """
from fakejob import *
import hashlib
LINES, RATE = {lines}, {rate}
def text(first, last):
    return "".join(f"line {{n:07d}} " + "x" * 73 + "\\n" for n in range(first, last))
def flood(write):
    start = time.monotonic()
    cpu = time.process_time()
    for first in range(0, LINES, 500):
        write("stdout", text(first, first + 500))
        time.sleep(max(0, start + first / RATE - time.monotonic()))
    return time.process_time() - cpu, time.monotonic() - start
def story(job):
    job.become(running(job.facts))
    nothing = flood(lambda name, text: None)[0]
    time.sleep(2)
    cpu = time.process_time()
    _, took = flood(job.view.write)
    end = time.time()
    time.sleep(1)
    job.result = (time.process_time() - cpu - nothing, nothing, took, end)
    job.become(running(job.facts, message=f"flood of {{LINES}} is over"))
    job.cancelled.wait(300)
job = FakeJob(story)
job.wait()
print("RESULT", *job.result)
print("SUM", hashlib.sha256(text(0, LINES).encode()).hexdigest())
"""

#: Notes when the last line is seen, and the page's longest pauses; our scripts' part of them.
WATCH = """last => {
    window.seen = 0; window.gap = 0; window.ours = 0; window.blocking = 0;
    let before = performance.now();
    const look = () => {
        const now = performance.now();
        window.gap = Math.max(window.gap, now - before);
        before = now;
        const lines = document.querySelector('.nbb-log > div');
        if (!window.seen && lines?.lastChild?.textContent.includes(last)) window.seen = Date.now();
        requestAnimationFrame(look);
    };
    look();
    new PerformanceObserver(list => {
        for (const frame of list.getEntries()) {
            window.blocking = Math.max(window.blocking, frame.duration);
            for (const script of frame.scripts) {
                if ((script.sourceURL || '').startsWith('blob:'))
                    window.ours = Math.max(window.ours, script.duration);
            }
        }
    }).observe({ type: 'long-animation-frame' });
}"""


def measure(lab: Lab, browser: Browser, lines: int, rate: int) -> dict[str, Any]:
    """Run one flood and return its figures."""
    name = f"flood{lines}"
    lab.write(name, [CELL.format(lines=lines, rate=rate)])
    with notebook(lab, browser, name) as nb:
        nb.run_all()
        nb.page.locator(".nbb-word").filter(has_text="Running").wait_for(timeout=60_000)
        nb.page.wait_for_timeout(1000)
        frames = len(nb.frames)
        nb.page.evaluate(WATCH, f"line {lines - 1:07d}")
        nb.page.locator(".nbb").filter(has_text="is over").wait_for(timeout=300_000)
        nb.page.wait_for_function("() => window.seen", timeout=30_000)
        figures = nb.page.evaluate("() => ({ seen, gap, ours, blocking })")
        figures["messages"] = sum("comm_msg" in frame for frame in nb.frames[frames:])
        figures |= held(nb)
        figures["file"], figures["file_mb"] = downloaded(nb)
        nb.page.get_by_role("button", name="Cancel train").click()
        nb.wait_idle(120)
        words = nb.output().split()
    cpu, alone, took, end = map(float, words[words.index("RESULT") + 1 :][:4])
    figures |= {"cpu": cpu, "alone": alone, "took": took, "lag": figures["seen"] / 1000 - end}
    figures["same"] = figures["file"] == words[words.index("SUM") + 1]
    return figures


def held(nb: NotebookPage) -> dict[str, float]:
    """Return what the page holds."""
    session = nb.page.context.new_cdp_session(nb.page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    elements = nb.page.evaluate("() => document.querySelectorAll('.nbb *').length")
    rows = nb.page.locator(".nbb-log > div").first.text_content() or ""
    return {"heap_mb": metrics["JSHeapUsedSize"] / 1e6, "nodes": metrics["Nodes"],
            "elements": elements, "rows": rows.count("\n")}  # fmt: skip


def downloaded(nb: NotebookPage) -> tuple[str, float]:
    """Download the whole log; return its sum and size."""
    import hashlib

    with nb.page.expect_download(timeout=300_000) as got:
        nb.page.get_by_role("button", name="Download", exact=True).click()
    data = Path(got.value.path()).read_bytes()
    return hashlib.sha256(data).hexdigest(), len(data) / 1e6


def tell(lines: int, found: dict[str, Any]) -> None:
    """Print the figures, with the bounds."""
    print(f"  {lines:,} lines in {found['took']:.1f} s")
    print(f"    last line seen after          {found['lag']:8.2f} s    (bound 1)")
    print(f"    longest pause of our scripts  {found['ours']:8.0f} ms   (bound 100)")
    print(f"    longest frame, all scripts    {found['blocking']:8.0f} ms")
    print(f"    longest gap between frames    {found['gap']:8.0f} ms")
    print(f"    kernel CPU                    {found['cpu']:8.2f} s    (bound 0.5;"
          f" the job's own {found['alone']:.2f})")  # fmt: skip
    print(f"    messages to the page          {found['messages']:8d}")
    print(f"    lines, elements in the page   {found['rows']:8d}, {found['elements']}")
    print(f"    heap, nodes of the page       {found['heap_mb']:8.0f} MB, {found['nodes']:.0f}")
    print(
        f"    downloaded                    {found['file_mb']:8.1f} MB   the same: {found['same']}"
    )


def main() -> None:
    """Measure each flood that is named."""
    counts = [int(text) for text in sys.argv[1:]] or [20_000, 1_000_000]
    heading("a flood of lines of 87 bytes, in JupyterLab")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        lab = Lab(Path(folder))
        try:
            for lines in counts:
                tell(lines, measure(lab, browser, lines, 10_000 if lines <= 20_000 else 100_000))
        finally:
            lab.close()
            browser.close()


if __name__ == "__main__":
    main()
