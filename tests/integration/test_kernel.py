"""In a real kernel: what stands under the cells, and what Stop does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

from nbbatch.futures.telling.replay import TEXT_LIMIT
from nbbatch.session import Session, current_session
from tests.integration.conftest import attach_last, until

pytestmark = pytest.mark.thorough

CELLS = [
    "%load_ext nbbatch\nxs = [1]; ys = xs",
    "%%batch\nfor number in range(100_000): print('line', number)\n{'the': 'last'}",
    "%%batch\nimport sys\nprint('one'); print('two', file=sys.stderr)\nxs.append(2)\n1 / 0",
    "print(xs, ys is xs)",
    "%%batch\nimport ctypes\nprint('before', flush=True)\nctypes.string_at(0)",
    "%%batch\nimport threading\nlock = threading.Lock()\nfine = 1",
    "%%batch\nprint('half \\ud800')\nimport sys\nsys.exit(3)",
    "print(fine)",
]


@pytest.fixture
def executed(local_session: Session) -> Any:
    """Run all cells in a kernel of its own, and write and read the notebook."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
    nbformat.validate(notebook)
    return nbformat.reads(nbformat.writes(notebook), as_version=4).cells


def text(cell: Any, name: str = "stdout") -> str:
    """Return what a cell's stream says."""
    return "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == name)


def error(cell: Any) -> tuple[str, str]:
    """Return the type and the text of a cell's error."""
    (found,) = (o for o in cell.outputs if o.output_type == "error")
    return found.ename, found.evalue


def test_what_stands_under_the_cells(executed: Any) -> None:
    """Outputs, errors and warnings are those of ordinary cells; the file is a notebook."""
    flood, failed, after, crashed, odd, left, last = executed[1:]
    assert len(text(flood)) < TEXT_LIMIT + 1000
    assert text(flood).startswith("line 0\nline 1\n")
    assert "characters left out; job.logs() has them" in text(flood)
    assert text(flood).endswith("line 99999\n")
    results = [o for o in flood.outputs if o.output_type == "execute_result"]
    assert [o.data["text/plain"] for o in results] == ["{'the': 'last'}"]
    assert flood.outputs[-1].output_type == "execute_result"

    assert (text(failed), text(failed, "stderr")) == ("one\n", "two\n")
    assert error(failed) == ("ZeroDivisionError", "division by zero")
    (trace,) = (o.traceback for o in failed.outputs if o.output_type == "error")
    assert "nbbatch/" not in "".join(trace)
    assert text(after) == "[1, 2] True\n"

    assert error(crashed)[0] == "ProcessDiedError"
    assert "SIGSEGV" in error(crashed)[1]
    assert "before\n" in text(crashed)
    assert "stays in the job: lock (_thread.lock)" in text(odd, "stderr")
    assert text(left) == "half ?\n"
    assert error(left) == ("SystemExit", "3")
    assert text(last) == "1\n"


@pytest.fixture
def kernel(local_session: Session) -> Iterator[Any]:
    """Start a kernel and a client of it."""
    manager, client = start_new_kernel()
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_stop_cancels_the_job(kernel: Any) -> None:
    """An interrupt of the kernel ends the job, lets it clean up, and the cell says so."""
    manager, client = kernel
    client.execute_interactive("%load_ext nbbatch", timeout=60, output_hook=lambda _: None)
    body = "%%batch\nimport time\ntry:\n    print('begun')\n    time.sleep(300)\n"
    request = client.execute(body + "finally: print('cleaned')")
    # The job may have begun before the kernel has got as far as to follow it.
    while client.get_iopub_msg(timeout=60)["msg_type"] != "display_data":
        pass
    until(_begun)
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=60)
    assert reply["parent_header"]["msg_id"] == request
    assert reply["content"]["ename"] == "JobCancelledError"
    job = attach_last()
    assert job.wait(60)
    assert job.cancelled()
    assert job.logs() == "begun\ncleaned\n"


def _begun() -> bool:
    started = [record for record in current_session().jobs() if record.batch_job_id]
    return bool(started) and "begun" in attach_last().logs()
