"""The example notebooks run as the README says, and show what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from nbbatch.backends.local import machine

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[!.]*[!d].ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.name)
def test_notebooks_are_saved_without_outputs(notebook: Path) -> None:
    """What is committed is the notebook, not a run of it."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        assert not cell.get("outputs")


@pytest.mark.notebooks
def test_quickstart(tmp_path: Path) -> None:
    """The quickstart runs on the local backend: model, plot, table, futures, an exception."""
    (notebook,) = [path for path in NOTEBOOKS if path.name == "quickstart.ipynb"]
    target = tmp_path / "executed.ipynb"
    command = [sys.executable, "-m", "nbbatch.cli", "run", str(notebook), "-o", str(target)]
    run = subprocess.run(
        command, env=dict(os.environ), capture_output=True, text=True, timeout=1200, check=False
    )

    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    executed = nbformat.read(target, as_version=4)
    nbformat.validate(executed)
    outputs = [o for cell in executed.cells for o in cell.get("outputs", [])]
    mimes = {mime for o in outputs for mime in o.get("data", {})}
    errors = [o for o in outputs if o.output_type == "error"]
    assert {"image/png", "text/html", "text/plain"} <= mimes
    assert [e.ename for e in errors] == ["ValueError"]
    assert "reshape" in "".join(errors[0].traceback)
    assert f"{machine.cores()} vCPU of 4 asked" in run.stdout or machine.cores() >= 4
    assert "pixels = 64; the cell failed after it had bound that" in run.stdout
