"""The job card in a real JupyterLab: what a person sees and clicks."""

from __future__ import annotations

import json
import time
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.contrast import faint_texts
from tests.browser.lab import Lab, NotebookPage, notebook

pytestmark = pytest.mark.browser

STORY = """
from fakejob import *
def story(job):
    job.become(running(job.facts))
    {body}
job = FakeJob(story, {changes})
job.wait()
print("interrupted", job.by_interrupt, "outcome", job.facts.outcome)
"""
#: Ends a story as soon as the test has seen enough: by a click.
HOLD = "job.cancelled.wait(600)"
LOG = ".nbb-log"
_KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"


def cell(body: str, changes: str = "") -> str:
    """Return a cell that runs a fake job whose story is `body`, indented as given."""
    return STORY.format(body=body.replace("\n", "\n    "), changes=changes)


def click(nb: NotebookPage, name: str) -> None:
    """Click one of the card's buttons, as a screen reader calls it."""
    nb.page.get_by_role("button", name=name, exact=True).click()


def test_a_job_from_submit_to_the_folded_card(lab: Lab, browser: Browser) -> None:
    """Each state shows, the log streams, and one plain line is left at the end."""
    body = """
for n in range(30):
    job.view.write("stdout", f"epoch {n} loss \\x1b[32m{1 / (n + 1):.3f}\\x1b[0m\\n")
    job.view.write("stderr", f"\\r{n}%|{'#' * (n // 2):15s}|")
job.view.write("stderr", "\\r\\x1b[Kdone\\n")
job.detached.wait(600)
"""
    seen = lab.root / "states_seen"
    waiting = f'job.view.write("stderr", "early\\n"); until({str(seen)!r})'
    code = cell(body).replace("    job.become", f"    {waiting}\n    job.become", 1)
    # The test ends the story by Detach; the cell then folds the card as at a job's end.
    code += "job.view.finish(ended(job.facts))\n"
    lab.write("states", [code, "print('second', 1 + 1)"])
    with notebook(lab, browser, "states") as nb:
        nb.run_all()
        nb.wait_text(".nbb-word", "Submitted")
        nb.wait_text(".nbb-message", "waiting for an instance")
        nb.wait_text(f"{LOG} .nbb-stderr", "early")
        nb.shot("card-waiting", of=".nbb")
        seen.touch()
        nb.wait_text(".nbb-word", "Running")
        nb.wait_text(".nbb-facts", "2 vCPU of 4 asked")
        nb.wait_text(f"{LOG} .nbb-stderr", "done")
        nb.shot("card-running", of=".nbb")
        log = nb.page.locator(LOG).inner_text().split("\n")
        elapsed = nb.page.locator(".nbb-time").inner_text()
        nb.page.wait_for_function(
            "t => document.querySelector('.nbb-time').textContent !== t", arg=elapsed
        )
        click(nb, "Detach train")
        nb.wait_idle()
        nb.wait_text("summary", "Succeeded")
        nb.shot("card-folded", of="summary")
        nb.page.click("summary")
        nb.shot("card-unfolded", of="summary")
        nb.wait_output("epoch 29 loss 0.033")
        nb.wait_output("second 2", 1)
        expect(nb.page.locator(".nbb")).to_have_count(0)

        assert [line for line in log if "epoch" in line] == [
            f"epoch {n} loss {1 / (n + 1):.3f}" for n in range(30)
        ]
        assert [line for line in log if "#" in line] == []
        assert nb.output(1).strip() == "second 2"
        assert nb.errors == []


def test_a_flood_of_lines_stays_small_and_current(lab: Lab, browser: Browser) -> None:
    """20,000 lines in 2 s: the last one is seen while the job lives, in few messages."""
    body = f"""
job.begun = time.time()
start = time.monotonic()
for n in range(20_000):
    job.view.write("stdout", f"line {{n:05d}} " + "x" * 75 + "\\n")
    if n % 100 == 99:
        time.sleep(max(0, start + n / 10_000 - time.monotonic()))
job.end = time.time()
{HOLD}
"""
    lab.write("flood", [cell(body) + "print('begun', job.begun, 'end', job.end)"])
    with notebook(lab, browser, "flood") as nb:
        nb.run_all()
        nb.page.wait_for_selector(LOG)
        seen = nb.page.evaluate(
            """() => new Promise(done => {
                let longest = 0, last = performance.now();
                const look = () => {
                    longest = Math.max(longest, performance.now() - last);
                    last = performance.now();
                    const text = document.querySelector('.nbb-log').firstChild
                        .lastChild?.textContent ?? '';
                    if (text.includes('line 19999')) done([Date.now() / 1000, longest]);
                    else requestAnimationFrame(look);
                };
                look();
            })"""
        )
        messages, told = sum("comm_msg" in frame for frame in nb.frames), time.time()
        # What was left out of the flood is fetched once it is over.
        nb.page.wait_for_function(
            "() => document.querySelector('.nbb-log').textContent.split('\\n').length > 4900"
        )
        rows = nb.page.locator(LOG).text_content().count("\n")
        nb.shot("card-flood", of=".nbb")
        click(nb, "Cancel train")
        nb.wait_idle()
        begun, _, end = nb.wait_output("begun ").split("begun ")[-1].split("\n")[0].split()
        lag, lasted = seen[0] - float(end), told - float(begun)
        print(f"lag {lag:.2f} s, longest frame {seen[1]:.0f} ms, {messages} messages")

        assert 4900 <= rows <= 5000
        # Not by how much is said, but by how long that takes.
        assert messages < 50 + 25 * lasted


def test_cancel_reaches_a_blocked_cell(lab: Lab, browser: Browser, kernel: str) -> None:
    """A click gets through while the cell waits, and needs no interrupt."""
    lab.write(f"cancel-{kernel}", [cell(HOLD)], kernel)
    with notebook(lab, browser, f"cancel-{kernel}") as nb:
        nb.run_all()
        nb.wait_text(".nbb-word", "Running")
        # Were an interrupt what cancels, nothing would: it is sent where the kernel is slow, too.
        nb.page.evaluate(f"() => {{ {_KERNEL}.interrupt = async () => undefined; }}")
        click(nb, "Cancel train")
        nb.wait_idle()

        nb.wait_text("summary", "Cancelled")
        nb.wait_frame("comm_close")
        nb.wait_output("interrupted False outcome cancelled")
        assert nb.errors == []


def test_cancel_interrupts_a_cell_that_does_not_look(
    lab: Lab, browser: Browser, kernel: str
) -> None:
    """Where nobody takes the click the page interrupts the kernel; the next cell still runs."""
    lab.write(f"stop-{kernel}", [cell(HOLD, "polling=False"), "print('next', 2 * 2)"], kernel)
    with notebook(lab, browser, f"stop-{kernel}") as nb:
        nb.run_all()
        nb.wait_text(".nbb-word", "Running")
        click(nb, "Cancel train")
        nb.wait_idle()

        nb.wait_text("summary", "Cancelled")
        nb.wait_output("outcome cancelled")
        nb.wait_output("next 4", 1)


def test_a_detached_card_lives_on(lab: Lab, browser: Browser, kernel: str) -> None:
    """Detach frees the cell; the card goes on, survives a reload, and folds at its end."""
    body = """
job.view.write("stdout", "before\\n")
job.cancelled.wait(600)
job.view.finish(ended(job.facts, outcome="cancelled"))
"""
    code = cell(body).replace("job.wait()", "job.wait()\nprint('freed')")
    lab.write(f"detach-{kernel}", [code], kernel)
    with notebook(lab, browser, f"detach-{kernel}") as nb:
        nb.run_all()
        nb.wait_text(LOG, "before")
        click(nb, "Detach train")
        nb.wait_text(".jp-OutputArea", "freed")
        nb.wait_idle()
        nb.save()
        nb.page.reload()
        nb.wait_text(LOG, "before")
        nb.shot("card-reloaded", of=".nbb")

        expect(nb.page.get_by_role("button", name="Detach train")).to_be_hidden()
        click(nb, "Cancel train")
        # This page can't replace the output that it loaded: the live card itself ends.
        nb.wait_text(".nbb-word", "Cancelled")
        nb.shot("card-reloaded-ended", of=".nbb")

        expect(nb.page.get_by_role("button", name="Cancel train")).to_be_hidden()


def test_text_from_a_job_stays_text(lab: Lab, browser: Browser) -> None:
    """Markup and escape sequences in log, name and message make nothing in the page."""
    evil = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
    osc = r"\x1b]8;;javascript:window.hacked=1\x07link\x1b]8;;\x07\x1b[31mred\x1b[0m\x9b1m\x00"
    body = f"""
job.become(running(job.facts, name={evil!r}, message={evil!r}))
job.view.write("stdout", {evil!r} + "\\n")
job.view.write("stderr", "{osc} end\\n" + {evil!r})
job.view.write('x" onclick="window.hacked=1', {evil!r} + "\\n")
{HOLD}
"""
    lab.write("evil", [cell(body)])
    with notebook(lab, browser, "evil") as nb:
        nb.run_all()
        # Each comes when it comes: the log as messages, the others as traits.
        for selector in (f"{LOG} .nbb-stdout", ".nbb-name", ".nbb-message"):
            nb.wait_text(selector, "<img src=x")
        nb.page.wait_for_function(
            "() => document.querySelector('.nbb-log').innerText.split('<img src=x').length > 3"
        )
        nb.wait_text(LOG, "linkred")
        nb.shot("card-injection", of=".nbb")
        live = nb.page.locator(".nbb").inner_text()
        made = nb.page.locator(".nbb img, .nbb script, .nbb a, .nbb [onclick]").count()
        nb.page.locator(".nbb-cancel").click()
        nb.wait_idle()
        nb.page.click("summary")
        folded = nb.page.locator(".jp-OutputArea details")

        assert live.count("<img src=x") >= 4
        assert made == 0
        assert folded.inner_text().count("<img src=x") >= 3
        assert folded.locator("img, script, a").count() == 0
        assert nb.page.evaluate("window.hacked") is None


def test_a_saved_notebook_shows_the_card_without_a_kernel(lab: Lab, browser: Browser) -> None:
    """Reopened, untrusted and with no kernel, the folded card is all there; and it is small."""
    body = 'job.view.write("stdout", "kept line\\n" * 500)'
    path = lab.write("saved", [cell(body)])
    with notebook(lab, browser, "saved") as nb:
        nb.run_all()
        nb.wait_idle()
        nb.wait_text("summary", "Succeeded")
        nb.save()
    _, size = forget_kernel(path, lab.root / "reopened.ipynb")
    with notebook(lab, browser, "reopened") as nb:
        choose_no_kernel(nb)
        nb.wait_text("summary", "Succeeded")
        nb.page.click("summary")
        nb.wait_text("details pre", "kept line")
        nb.shot("card-reopened", of="summary")

    assert size <= 20_000


def forget_kernel(path: Path, copy: Path) -> tuple[nbformat.NotebookNode, int]:
    """Copy a notebook as somebody else would open it; also return what its outputs weigh."""
    saved = nbformat.read(path, 4)
    bundle = saved.cells[0].outputs[0]
    assert sorted(bundle.data) == ["text/html", "text/plain"]
    assert "widgets" not in saved.metadata
    saved.metadata["kernelspec"] = {"name": "gone", "display_name": "gone", "language": "none"}
    saved.metadata["language_info"] = {"name": "none"}
    nbformat.write(saved, copy)
    return saved, len(json.dumps(bundle, indent=1, ensure_ascii=False).encode())


def choose_no_kernel(nb: NotebookPage) -> None:
    """Answer JupyterLab's question for a kernel."""
    dialog = nb.page.locator(".jp-Dialog")
    dialog.wait_for()
    dialog.locator("select").select_option(label="No Kernel")
    dialog.locator("button.jp-mod-accept").click()
    dialog.wait_for(state="detached")


def test_the_card_can_be_read_in_the_dark(dark_lab: Lab, browser: Browser) -> None:
    """In the dark theme every text stands out from the panel (WCAG AA)."""
    body = f"""
for name, colour in (("stdout", 32), ("stderr", 31), ("stdout", 34), ("stdout", 33)):
    job.view.write(name, f"a \\x1b[{{colour}}mcoloured\\x1b[0m line\\n")
{HOLD}
"""
    dark_lab.write("dark", [cell(body)])
    with notebook(dark_lab, browser, "dark") as nb:
        nb.run_all()
        nb.wait_text(LOG, "coloured")
        nb.shot("card-dark", of=".nbb")
        low = faint_texts(nb.page)
        click(nb, "Cancel train")
        nb.wait_idle()
        nb.shot("card-dark-folded", of="summary")

        assert low == []
