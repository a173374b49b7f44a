"""Cells that use what detached cells before them will have bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nbbatch import errors
from nbbatch.session import current_session

pytestmark = pytest.mark.thorough

_PATIENCE = 60.0


def waits(gate: Path, rest: str) -> str:
    """Return a cell that goes on once a file is there."""
    return f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\n{rest}"


def needs(job: Any) -> list[str]:
    record = current_session()._registry.get(job.id)
    assert record is not None
    return list(record.depends_on)


def test_a_variable_of_a_detached_cell(notebook: Any, tmp_path: Path) -> None:
    """It is neither waited for here nor fetched: the job of the next cell reads it."""
    first = notebook.batch(waits(tmp_path / "go", "model = [1, 2]; both = model"), "--detach")
    second = notebook.batch("score = sum(model); same = model is both", "--detach")
    third = notebook.batch("print(score)\nbest = score, same", "--detach")
    assert [needs(job) for job in (first, second, third)] == [[], [first.id], [second.id]]
    (tmp_path / "go").touch()

    assert third.result(_PATIENCE) == {"best": (3, True)}
    assert "model" not in second.result()


def test_a_name_that_the_notebook_binds_anew(notebook: Any, tmp_path: Path) -> None:
    """What was bound here after the cell was detached is what counts."""
    notebook.run("x = 'old'; y = ['old']; z = {'old'}")
    first = notebook.batch(waits(tmp_path / "go", "x = y = z = 'detached'"), "--detach")
    notebook.run("x = 'new'; z = None")
    job = notebook.batch("found = x, y, z", "--detach")
    assert needs(job) == [first.id]
    (tmp_path / "go").touch()

    assert job.result(_PATIENCE) == {"found": ("new", "detached", None)}


def test_a_name_that_is_bound_in_some_cases(notebook: Any) -> None:
    """Where the detached cell did not bind it after all, it is what it was."""
    notebook.run("x, y, gone = 1, 2, 3")
    first = notebook.batch(
        "if y > 5:\n    x = 'bound'\n    z = 'bound'\nelse:\n    w = 'w'\ndel gone", "--detach"
    )
    assert first.wait(_PATIENCE)
    job = notebook.batch("found = x, w, 'z' in globals(), 'gone' in globals(); z, gone", "--detach")
    with pytest.raises(NameError, match="'z'"):
        job.result(_PATIENCE)

    assert job.results().variables["found"] == (1, "w", False, False)


def test_a_function_of_a_detached_cell(notebook: Any) -> None:
    """It finds its helpers, those of its own cell and those of the notebook."""
    notebook.run("rate = 10\ndef twice(x): return 2 * x")
    notebook.batch("base = 1\ndef f(x): return base + twice(x) * rate", "--detach")
    notebook.batch("found = f(3)")

    assert notebook["found"] == 61


def test_a_blocking_cell_uses_it_too(notebook: Any) -> None:
    """And what it changes in place comes back."""
    notebook.batch("import json\nvalues = [1]", "--detach")
    notebook.batch("values.append(2); text = json.dumps(values)")

    assert notebook["values"] == [1, 2]
    assert notebook["text"] == "[1, 2]"


def test_named_results_alone(notebook: Any) -> None:
    """With --out it is those names, changed in place as they may be, and no others."""
    notebook.run("data = [1]; other = 5")
    first = notebook.batch("data.append(2); other = 6", "--detach --out data")
    job = notebook.batch("found = data, other", "--detach")

    assert job.result(_PATIENCE) == {"found": ([1, 2], 5)}
    assert first.wait(_PATIENCE)


def test_what_another_cell_only_read(notebook: Any, tmp_path: Path) -> None:
    """Cells that share data do not wait for each other; nor for a module that both import."""
    notebook.run("import math\ndata = [1]")
    first = notebook.batch(waits(tmp_path / "go", "import math\na = math.pi, data"), "--detach")
    second = notebook.batch("b = math.floor(data[0])", "--detach")
    assert second.result(_PATIENCE) == {"b": 1}
    (tmp_path / "go").touch()

    assert first.wait(_PATIENCE)


def test_a_detached_cell_that_fails(notebook: Any) -> None:
    """Who needs its variables is told so; what it had bound by then is there."""
    notebook.run("y = 1; z = 3")
    job = notebook.batch("y = [2]\n1 / 0\nx = z = 1", "--detach --name load")
    assert job.wait(_PATIENCE)
    error = notebook.failing("x")
    assert isinstance(error, errors.UpstreamError)
    assert "load" in error.cause and "ZeroDivisionError" in error.cause
    notebook.batch("found = y, z")

    assert notebook["found"] == ([2], 3)


def test_a_detached_cell_that_fails_later(notebook: Any, tmp_path: Path) -> None:
    """The cell that waits for it names it, and why it failed."""
    notebook.batch(waits(tmp_path / "go", "1 / 0\nx = 1"), "--detach --name load")
    job = notebook.batch("x", "--detach")
    (tmp_path / "go").touch()
    error = job.exception(_PATIENCE)

    assert isinstance(error, errors.UpstreamError)
    assert "(load)" in error.cause and "ZeroDivisionError" in error.cause


def test_a_variable_that_stayed_in_its_job(notebook: Any) -> None:
    """It did not pickle: the cell that uses it says whose it was, and why."""
    first = notebook.batch("import threading\nlock = threading.Lock()", "--detach")
    error = notebook.failing("lock.acquire()")

    assert isinstance(error, errors.NotFoundError)
    assert error.what.startswith(f"lock of job {first.id}")
    assert "lock" in error.cause


def test_a_job_used_by_its_name(notebook: Any) -> None:
    """A cell asks it for its result, as it would here."""
    notebook.batch("x = 4", "--detach --as first")
    notebook.batch("found = first.result()['x'] + 1, first.done()")

    assert notebook["found"] == (5, True)
