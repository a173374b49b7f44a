"""Which view is chosen where; real interpreters and real kernels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]

PLAIN = """
import sys
sys.path.insert(0, {root!r})
import nbbatch.widgets as widgets
from nbbatch.facts import JobFacts, State
heavy = [m for m in ("ipywidgets", "anywidget", "IPython", "boto3") if m in sys.modules]
assert not heavy, heavy
facts = JobFacts("20260131-094500-1f0c2a9b", "train", "local")
view = widgets.show(facts, cancel=print)
view.write("stdout", "to out\\n")
view.write("stderr", "to err\\n")
view.finish(facts)
assert "anywidget" not in sys.modules
"""

CELL = """
import sys, threading, time
sys.path[:0] = [{root!r}, {root!r} + "/tests/browser"]
from fakejob import *
def story(job):
    job.become(running(job.facts))
    job.view.write("stdout", "".join(f"line {{n}}\\n" for n in range(5000)))
    time.sleep(0.3)
job = FakeJob(story)
job.wait()
"""
CHECK = """
for thread in threading.enumerate():
    if thread.name == "nbbatch-view":
        thread.join(60)
print([t.name for t in threading.enumerate() if t.name.startswith("nbbatch")])
"""


def test_plain_python_gets_text_and_loads_no_widgets() -> None:
    """Import and a job on show in a pipe load neither IPython nor any widget library."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN.format(root=str(ROOT))],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("○ Submitted train\nto out\n○ Submitted · train")
    assert done.stderr == "to err\n"


def test_a_headless_kernel_ends_with_the_plain_form() -> None:
    """Executed by nbclient, the notebook holds HTML and text, no view, no thread, little state."""
    cells = [CELL.format(root=str(ROOT)), CHECK]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    times = {"timeout": 600, "startup_timeout": 300, "iopub_timeout": 60}
    NotebookClient(notebook, kernel_name="python3", **times).execute()
    (card,) = notebook.cells[0].outputs
    state = json.dumps(notebook.metadata.get("widgets", {}))

    assert sorted(card.data) == ["text/html", "text/plain"]
    assert card.data["text/plain"].startswith("✓ Succeeded · train")
    assert "line 4999" in card.data["text/html"]
    assert notebook.cells[1].outputs[0].text == "[]\n"
    assert len(nbformat.writes(notebook)) < 20_000
    assert "document.createElement" not in state
