"""Notebooks without a front end, and kernels that end: what the outputs hold, whatever happens."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

from nbbatch.session import Session
from tests.integration.conftest import attach_last

pytestmark = pytest.mark.thorough

PLAIN = ["text/html", "text/plain"]
LOAD = "%load_ext nbbatch"
#: Runs until the test says so, by a file.
LONG = """%%batch --detach --name {name}
import os, time
print('begun', flush=True)
end = time.time() + 240
while not os.path.exists({flag!r}) and time.time() < end: time.sleep(0.05)"""
#: Lets a cell wait for a job's state.
SEEN = "import time\nwhile {job}.state != 'RUNNING': time.sleep(0.02)"


@pytest.fixture
def flag(tmp_path: Path, local_session: Session) -> Iterator[Path]:
    """Give the file that ends long jobs; they are waited for when the test ends."""
    path = tmp_path / "flag"
    yield path
    path.touch()
    assert attach_last().wait(60)


def notebook_of(*cells: str) -> Any:
    """Return a notebook of code cells."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def cards(notebook: Any) -> list[Any]:
    """Return the outputs that are cards."""
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    return [output for output in outputs if output.output_type == "display_data"]


def check_plain(notebook: Any) -> list[str]:
    """Check that nothing in the file needs a widget; return the cards' lines."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook)
    assert "widget-view" not in text
    assert "widgets" not in notebook.metadata
    found = cards(notebook)
    assert [sorted(card.data) for card in found] == [PLAIN] * len(found)
    for card in found:
        assert len(json.dumps(card, indent=1, ensure_ascii=False).encode()) <= 20_000
    return [card.data["text/plain"] for card in found]


def test_every_end_leaves_a_plain_card(flag: Path) -> None:
    """Of a job that succeeds, fails, is cancelled, or runs on when the notebook has ended."""
    ends = notebook_of(
        LOAD,
        "%%batch --name fine --cpu 1\nprint('said')\n21 * 2",
        "%%batch --name broken\nprint('before', flush=True)\n1 / 0",
        LONG.format(name="stopped", flag=str(flag)) + "\n#",
        "stopped = _; stopped.cancel()\n%batch attach stopped",
        LONG.format(name="first", flag=str(flag)),
        SEEN.format(job="_"),
        LONG.format(name="second", flag=str(flag)),
        SEEN.format(job="_"),
        # What has been seen is put right while a cell runs.
        "time.sleep(6)",
    )
    NotebookClient(ends, timeout=120, kernel_name="python3", allow_errors=True).execute()
    lines = check_plain(ends)
    words = [line.split(" · ")[:2] for line in lines]
    errors = [o.ename for cell in ends.cells for o in cell.outputs if o.output_type == "error"]

    assert words == [
        ["✓ Succeeded", "fine"],
        ["✗ Failed", "broken"],
        ["⊘ Cancelled", "stopped"],
        ["⊘ Cancelled", "stopped"],
        ["● Running", "first"],
        ["● Running", "second"],
    ]
    assert errors == ["ZeroDivisionError", "JobCancelledError"]
    assert "ZeroDivisionError" in lines[1]
    for line in lines[-2:]:
        assert "last seen 20" in line
        assert "%batch card 20" in line


def test_a_card_can_be_opened_again(flag: Path) -> None:
    """In a later notebook, of a job that has ended and of one that runs; nothing is bound."""
    before = notebook_of(
        LOAD,
        "%%batch --name told\nprint('a line of it')\nfound = 1",
        "%%batch --name crashed\nfound = 1\nraise ValueError('no')",
        LONG.format(name="runs", flag=str(flag)),
    )
    NotebookClient(before, timeout=120, kernel_name="python3", allow_errors=True).execute()
    again = notebook_of(
        LOAD + "\nimport time",
        "%batch card told\ntime.sleep(3)",
        "%batch card crashed\ntime.sleep(3)",
        "%batch card runs\ntime.sleep(3)",
        "'found' in globals()",
        "%batch card nowhere",
    )
    NotebookClient(again, timeout=120, kernel_name="python3", allow_errors=True).execute()
    lines = check_plain(again)

    assert [line.split(" · ")[0] for line in lines] == ["✓ Succeeded", "✗ Failed", "● Running"]
    assert "a line of it" in cards(again)[0].data["text/html"]
    assert again.cells[4].outputs[0].data["text/plain"] == "False"
    assert again.cells[5].outputs[0].ename == "NotFoundError"


def test_papermill(tmp_path: Path, local_session: Session) -> None:
    """The notebook that papermill leaves holds plain cards, also where a cell failed."""
    import papermill

    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    bad = "%%batch --name broken\nraise ValueError('no')"
    nbformat.write(notebook_of(LOAD, "%%batch --name fine\nprint('said')", bad), source)
    with pytest.raises(papermill.PapermillExecutionError, match="no"):
        papermill.execute_notebook(
            source, target, kernel_name="python3", progress_bar=False, log_output=False
        )
    executed = nbformat.read(target, as_version=4)
    executed.cells = [cell for cell in executed.cells if cell.cell_type == "code"]

    assert [line.split(" · ")[0] for line in check_plain(executed)] == ["✓ Succeeded", "✗ Failed"]


@pytest.fixture
def kernel() -> Iterator[Any]:
    """Start a kernel, and a client of it that can be asked, as a page can."""
    manager, client = start_new_kernel()
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_live_cards_part_when_their_kernel_ends(flag: Path, kernel: Any) -> None:
    """Each is replaced by the plain form before the kernel is gone: one runs, one had ended."""
    manager, client = kernel
    asked: dict[str, Any] = {"timeout": 60, "output_hook": lambda _: None, "allow_stdin": True}
    shown: list[Any] = []
    client.execute_interactive(LOAD, **asked)
    client.execute_interactive("%%batch --name told\nprint('a line of it')", **asked)
    asked["output_hook"] = shown.append
    client.execute_interactive(LONG.format(name="runs", flag=str(flag)), **asked)
    client.execute_interactive(SEEN.format(job="_"), **asked)
    client.execute_interactive("%batch card told", **asked)
    client.execute_interactive("time.sleep(3)", **asked)
    live = [m["content"]["data"] for m in shown if m["msg_type"] == "display_data"]
    # However long it takes: it is not to be killed.
    manager.shutdown_wait_time = 60.0
    manager.shutdown_kernel()
    updates = _last_updates(client)

    assert ["application/vnd.jupyter.widget-view+json" in data for data in live] == [True, True]
    assert all(set(PLAIN) <= set(data) for data in live)
    assert sorted(data["text/plain"].split(" · ")[0] for data in updates) == [
        "● Running",
        "✓ Succeeded",
    ]
    assert [sorted(data) for data in updates] == [PLAIN, PLAIN]
    assert any("a line of it" in data["text/html"] for data in updates)


def _last_updates(client: Any) -> list[Any]:
    """Return what replaced outputs, of all messages that still wait."""
    found = []
    while True:
        try:
            message = client.get_iopub_msg(timeout=5)
        except queue.Empty:
            return found
        if message["msg_type"] == "update_display_data":
            found.append(message["content"]["data"])


def test_the_terminal_tells_the_story(local_session: Session, shell: Any, capsys: Any) -> None:
    """Where there are no widgets, `%batch card` writes what is known; the namespace stays."""
    shell.run_cell("%%batch --name told\nfound = 1")
    shell.user_ns.pop("found")
    capsys.readouterr()
    shell.run_cell("%batch card told").raise_error()
    out = capsys.readouterr().out

    assert out.startswith("✓ Succeeded · told")
    assert "\n  Asked " in out
    assert attach_last().id in out
    assert "found" not in shell.user_ns
