"""A detached cell's results arrive by themselves, and never in the middle of another cell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from nbbatch.futures import Job
from tests.integration.conftest import Notebook
from tests.integration.test_awaiting import Kernel

#: A cell that ends when its file is there.
HOLD = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.01)\n"
PATIENCE = 60


def detached(notebook: Notebook, body: str, gate: Path, line: str = "") -> Job[Any]:
    """Start a cell that waits for a file, and go on."""
    job: Job[Any] = notebook.batch(HOLD.format(str(gate)) + body, f"--detach {line}")
    return job


def finish(job: Job[Any], gate: Path) -> None:
    """Let a job end; as far as the notebook is concerned nothing happens meanwhile."""
    gate.touch()
    assert job.wait(PATIENCE)


def test_before_the_next_cell(notebook: Notebook, tmp_path: Path) -> None:
    """What came while nothing ran is there when the next cell begins; shared stays shared."""
    notebook.run("xs = [1]; ys = xs")
    job = detached(notebook, "x = 1\nxs.append(2)", tmp_path / "gate")
    finish(job, tmp_path / "gate")
    assert "x" not in notebook

    assert notebook.run("(x, xs, ys is xs)") == (1, [1, 2], True)


def test_not_in_the_middle_of_a_cell(notebook: Notebook, tmp_path: Path) -> None:
    """A cell that runs sees nothing of it, even through cells that it runs; then it is there."""
    job = detached(notebook, "x = 1", tmp_path / "gate", "--as job")
    notebook.run(
        f"open({str(tmp_path / 'gate')!r}, 'w').close()\n"
        f"assert job.wait({PATIENCE})\n"
        "get_ipython().run_cell('inner = \"x\" in globals()')\n"
        "outer = 'x' in globals()"
    )

    assert (notebook["inner"], notebook["outer"], notebook["x"]) == (False, False, 1)
    assert job.result()["x"] == 1


def test_a_name_that_was_bound_anew(
    notebook: Notebook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stays as it is, and where the other value is, is said; the rest arrives."""
    notebook.run("x = 1; xs = [1]; ys = xs")
    job = detached(notebook, "x = 2\nxs.append(2)\nz = 3", tmp_path / "gate")
    notebook.run("x = 'mine'; xs = ['mine']")
    finish(job, tmp_path / "gate")
    notebook.run("pass")
    found = [notebook[name] for name in ("x", "xs", "ys", "z")]

    assert found == ["mine", ["mine"], [1], 3]
    said = capsys.readouterr().err
    assert f"x was bound anew since {job.name} was started, and stays as it is" in said
    assert f"nbbatch.attach('{job.id}').result()['x']" in said


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_later_cell_wins(notebook: Notebook, tmp_path: Path, order: tuple[int, int]) -> None:
    """Of two that bind the same name it is the later one's, whichever is done first."""
    gates = [tmp_path / "first", tmp_path / "second"]
    jobs = [detached(notebook, f"x = {n}\nx{n} = {n}", gate) for n, gate in enumerate(gates)]
    for n in order:
        finish(jobs[n], gates[n])
        notebook.run("pass")

    assert (notebook["x"], notebook["x0"], notebook["x1"]) == (1, 0, 1)


def test_a_cell_that_fails(
    notebook: Notebook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it had bound until then arrives, and the next cell says that it failed."""
    job = detached(notebook, "x = 1\n1 / 0", tmp_path / "gate")
    finish(job, tmp_path / "gate")

    assert notebook.run("x") == 1
    said = capsys.readouterr().err
    assert f"{job.name} (job {job.id}) failed" in said
    assert f"%batch attach {job.id} shows it" in said


def test_what_was_fetched_does_not_arrive_again(notebook: Notebook, tmp_path: Path) -> None:
    """After %batch attach the names are the notebook's to change."""
    job = detached(notebook, "x = [1]", tmp_path / "gate")
    finish(job, tmp_path / "gate")
    notebook.run(f"%batch attach {job.id}\nx.append(2)\nmine = x")
    notebook.run("pass")

    assert notebook["x"] == [1, 2]
    assert notebook["x"] is notebook["mine"]


@pytest.fixture
def kernel(local_session: Any) -> Iterator[Kernel]:
    """Start a kernel with nbbatch."""
    manager, client = start_new_kernel(extra_arguments=["--log-level=ERROR"])
    found = Kernel(manager, client)
    found.prepare()
    yield found
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def bound(kernel: Kernel, name: str) -> bool:
    """Tell whether a kernel knows a name, without running a cell."""
    reply = kernel.reply(kernel.ask("inspect_request", code=name, cursor_pos=1, detail_level=0))
    return bool(reply["found"])


def test_an_idle_kernel(kernel: Kernel, tmp_path: Path) -> None:
    """Nobody has to run a cell for it; while one awaits, its results wait for its end."""
    gate = str(tmp_path / "gate")
    kernel.run(f"%%batch --detach --as job\n{HOLD.format(gate)}late = 1")
    assert not bound(kernel, "late")
    kernel.run(
        f"import asyncio\nopen({gate!r}, 'w').close()\n"
        "while not job.done(): await asyncio.sleep(0.01)\n"
        "for _ in range(20): await asyncio.sleep(0.01)\n"
        "assert 'late' not in globals()"
    )
    assert bound(kernel, "late")
    other = str(tmp_path / "other")
    kernel.run(f"%%batch --detach\n{HOLD.format(other)}later = 1")
    Path(other).touch()
    end = time.monotonic() + PATIENCE
    while not bound(kernel, "later"):
        assert time.monotonic() < end
        time.sleep(0.02)
