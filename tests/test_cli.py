"""The verbs in a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import nbbatch
from nbbatch.cli import main

pytestmark = pytest.mark.usefixtures("local_session")


def test_jobs_logs_attach(capsys: pytest.CaptureFixture[str]) -> None:
    """A job is listed, its log printed, its end told by the exit code."""

    def double(x: int) -> int:
        print(f"doubling {x}")
        return 2 * x

    job = nbbatch.batch(name="twice")(double).submit(21)
    assert job.result(60) == 42
    capsys.readouterr()

    assert main(["jobs"]) == 0
    assert f"{job.id}  twice" in capsys.readouterr().out
    assert main(["logs", job.id[-8:]]) == 0
    assert capsys.readouterr().out == "doubling 21\n"
    assert main(["attach", "twice"]) == 0
    assert "doubling 21" in capsys.readouterr().out


def test_attach_to_a_failed_job_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code of attach says how the job ended."""
    job = nbbatch.batch(lambda: int("x")).submit()
    assert isinstance(job.exception(60), ValueError)

    assert main(["attach", job.id]) == 1
    assert "ValueError" in "".join(capsys.readouterr())


def test_cancel(capsys: pytest.CaptureFixture[str]) -> None:
    """A running job is asked to stop from the terminal, and stops."""
    import time

    job = nbbatch.batch(time.sleep).submit(600)

    assert main(["cancel", job.id]) == 0
    with pytest.raises(nbbatch.NbbatchError, match="cancelled"):
        job.result(60)
    assert "was asked to stop" in capsys.readouterr().out


def test_errors_are_three_parts_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """What goes wrong is said on stderr, with exit code 1."""
    assert main(["logs", "nothing"]) == 1

    said = capsys.readouterr().err
    assert "NotFoundError: there is no job nothing" in said
    assert "next:" in said


def test_config(capsys: pytest.CaptureFixture[str]) -> None:
    """The settings in force are shown with where they came from."""
    nbbatch.configure(queue="q", prices={"vcpu": 0.04})

    assert main(["config"]) == 0
    said = capsys.readouterr().out
    assert "queue            q  (configure())" in said
    assert "prices           vcpu=0.04, currency=USD  (configure())" in said


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbbatch.cli", "run", *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.notebooks
def test_run_a_notebook(tmp_path: Path) -> None:
    """Every cell's source, state line, output and time are shown; the result is saved."""
    cells = [
        new_markdown_cell("# Title"),
        new_code_cell("%load_ext nbbatch\nx = 20"),
        new_code_cell("%%batch --name add\ny = x + 1\nprint('y is', y)\ny * 2"),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "small.ipynb")

    done = run("small.ipynb", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("│ y = x + 1", "Succeeded · add", "y is 21", "42", "└ ok, ", "saved "):
        assert said in done.stdout
    executed = nbformat.read(tmp_path / "small.executed.ipynb", as_version=4)
    nbformat.validate(executed)
    kinds = [output.output_type for output in executed.cells[2].outputs]
    assert kinds == ["display_data", "stream", "execute_result"]


@pytest.mark.notebooks
def test_run_stops_at_a_failing_cell(tmp_path: Path) -> None:
    """A cell that raises ends the run with exit code 1; what ran before is saved."""
    cells = [
        new_code_cell("%load_ext nbbatch"),
        new_code_cell("%%batch\n1 / 0"),
        new_code_cell("print('not reached')"),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "bad.ipynb")

    done = run("bad.ipynb", folder=tmp_path)

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout
    assert "not reached" not in done.stdout.replace("│ print('not reached')", "")
    assert (tmp_path / "bad.executed.ipynb").exists()


def test_run_of_nothing(tmp_path: Path) -> None:
    """A notebook that does not exist is an error of three parts."""
    done = run("missing.ipynb", folder=tmp_path)

    assert done.returncode == 1
    assert "there is no notebook missing.ipynb" in done.stderr


def test_run_tells_of_jobs_in_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each state once, the folded line at the end; nothing of what only a reader needs later."""
    path = tmp_path / "jobs.ipynb"
    job = "%%batch --name fit\nimport time\ntime.sleep(0.5)"
    nbformat.write(
        new_notebook(cells=[new_code_cell("%load_ext nbbatch"), new_code_cell(job)]), path
    )

    assert main(["run", str(path)]) == 0
    out = capsys.readouterr().out
    told = [line for line in out.splitlines() if " · fit" in line]
    assert len(told) == len({line.split(" · ")[0] for line in told})
    assert told[-1].startswith("✓ Succeeded · fit · ")
    assert "last seen" not in out
