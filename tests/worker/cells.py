"""Runs cells as the worker's child does, in a process of their own, and collects what they show.

`in_notebook` runs the same cells in a real kernel, so that the two can be compared.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
#: Matplotlib's list of fonts, which takes long to make: one for all tests.
FONTS = Path(tempfile.gettempdir()) / f"nbbatch-tests-fonts-{os.getuid()}"
#: Seconds for what takes a few.
_PATIENCE = 300
#: Hides the installed IPython: what an image without it looks like.
HIDDEN = "sys.modules['IPython'] = None"

_PROGRAM = """
import sys
sys.path.insert(0, {root!r})
{before}
import itertools, json, os
from nbbatch.wire import frames
from nbbatch.worker.notebook import display as _display, figures, shell, streams, surroundings

def start(space):
    kept, numbers = [], itertools.count()
    outlet = streams.install(kept.append)
    shown = _display.Display(outlet.emit, space)
    ours = shell.install(space, shown, figures.Figures(shown))
    loops = surroundings.Loops(outlet.emit)

    def run(source):
        try:
            name = f"<cell {{next(numbers)}}>"
            shown.show_result(ours.execute(ours.transform_cell(source), name))
            ours.finish()
        except BaseException as error:
            fields = {{"ename": type(error).__name__, "evalue": str(error), "traceback": []}}
            outlet.emit(frames.frame("error", **fields))
        loops.tick()
        outlet.flush()
        said, kept[:] = frames.merged(kept), []
        return said

    return run

run = start({{"__name__": "__main__"}})
results = [run(source) for source in json.loads(os.environ["CELLS"])]
with open(os.environ["FOUND"], "w") as file:
    json.dump(results, file)
"""


def run(*cells, folder, before="", python=(sys.executable,), environment=None):
    """Run cells one after the other; return the frames of each."""
    found = Path(folder) / "frames.json"
    program = _PROGRAM.format(root=str(ROOT), before=before)
    subprocess.run(
        [*python, "-c", program],
        cwd=folder,
        env={
            **os.environ,
            "HOME": str(folder),
            "MPLCONFIGDIR": str(FONTS),
            "CELLS": json.dumps(cells),
            "FOUND": str(found),
            **(environment or {}),
        },
        check=True,
        timeout=_PATIENCE,
    )
    return json.loads(found.read_text())


def list_fonts():
    """Have Matplotlib's list of fonts made before it is wanted: it says so where that is slow."""
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"],
        env={**os.environ, "MPLCONFIGDIR": str(FONTS)},
        capture_output=True,
        check=True,
    )


def in_notebook(*cells, folder):
    """Run cells in a real kernel; return the outputs of each, as a notebook keeps them."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in cells]
    client = NotebookClient(
        notebook,
        timeout=_PATIENCE,
        startup_timeout=_PATIENCE,
        # What it shows may come long after it has ended.
        iopub_timeout=30,
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env={**os.environ, "MPLCONFIGDIR": str(FONTS)})
    return [cell.outputs for cell in notebook.cells]


def as_outputs(frames):
    """Turn frames into what a notebook would keep of them, without what differs by nature."""
    kinds = {"display": "display_data", "result": "execute_result"}
    outputs = []
    for frame in frames:
        kind = frame["kind"]
        if kind == "stream":
            outputs.append(("stream", frame["name"], masked(frame["text"])))
        elif kind in kinds:
            outputs.append((kinds[kind], _plain(frame["data"]), frame["metadata"]))
        elif kind == "error":
            outputs.append(("error", frame["ename"]))
    return outputs


def kept(outputs):
    """Bring a notebook's outputs into the same form."""
    result = []
    for output in outputs:
        if output.output_type == "stream":
            text = masked(output.text)
            # A kernel cuts what is written where its own clock says.
            if result and result[-1][:2] == ("stream", output.name):
                text = result.pop()[2] + text
            result.append(("stream", output.name, text))
        elif output.output_type == "error":
            result.append(("error", output.ename))
        else:
            result.append((output.output_type, _plain(output.data), dict(output.metadata)))
    return result


def _plain(data):
    return {mime: masked(value) if mime == "text/plain" else value for mime, value in data.items()}


def masked(text):
    """Cover addresses and durations, and where a table cuts those off."""
    # Said of what happened to be slow.
    text = re.sub(r"^(The slowest run took|Compiler|Parser) .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\b0x[0-9a-f]+", "0x...", text)
    text = text.replace("\r\n", "\n")
    # Where `%whos` cuts it depends on how long the figures are.
    text = re.sub(r"(TimeitResult +).*", r"\1", text)
    text = re.sub(r"\b[\d.]+(e[+-]\d+)? (ns|μs|ms|s)\b", "TIME", text)
    return re.sub(r"(per loop) .*<\.\.\.>.*", r"\1 ...", text)


def texts(frames, name="stdout"):
    """Join what was written to one stream."""
    return "".join(f["text"] for f in frames if f["kind"] == "stream" and f["name"] == name)
