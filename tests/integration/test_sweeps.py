"""``%%batch --for``: a cell swept over a grid, as one array job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbbatch
from nbbatch import errors
from nbbatch.futures.array.sweep import Sweep
from nbbatch.session import current_session

pytestmark = pytest.mark.thorough

_PATIENCE = 60.0


def test_a_grid(notebook: Any) -> None:
    """One array job; the last axis varies fastest; the table is in the namespace, and shown."""
    notebook.run("base = [10]\ndef scale(x): return x * base[0]\nloss = 'mine'")
    body = "import math\n_tmp = 1\nloss = scale(lr) + seed\ndef helper(): pass\nprint(lr, seed)"
    shown = notebook.batch(body, "--for lr=[0.5, 1] --for seed=range(2)")
    sweep = notebook["sweep"]
    assert shown is sweep and isinstance(sweep, Sweep)
    assert len(list(current_session().jobs())) == 1
    rows = [
        {"lr": 0.5, "seed": 0, "loss": 5.0},
        {"lr": 0.5, "seed": 1, "loss": 6.0},
        {"lr": 1, "seed": 0, "loss": 10},
        {"lr": 1, "seed": 1, "loss": 11},
    ]
    assert list(sweep) == sweep.result() == list(sweep.rows()) == rows
    assert notebook["loss"] == "mine" and "lr" not in notebook.namespace

    frame = sweep.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["lr", "seed", "loss"]
    assert frame.loc[frame["loss"].idxmax()].to_dict() == rows[3]
    html = sweep._repr_html_()
    assert "<th>lr</th><th>seed</th><th>loss</th>" in html
    assert "<td>2</td><td>1</td><td>0</td><td>10</td>" in html
    assert "<p>4 points</p>" in html
    assert "0.5 1" in sweep.logs()


def test_values_of_all_sorts(notebook: Any) -> None:
    """Quotes, blanks, names of the notebook's, several names at once, one value, other flags."""
    notebook.run("sizes = [3, 4]\ndef counted(): return range(2)")
    line = (
        "--name mine --for kind=['a b', \"c-- d\"] --for n, m=zip(sizes, counted()) --as table "
        "--for one=(7,) --out size # a comment with --for x=[1]"
    )
    notebook.batch("size = len(kind) * n + m + one; other = 1", line)
    table = notebook["table"]

    assert [tuple(row.values()) for row in table] == [
        ("a b", 3, 0, 7, 16), ("a b", 4, 1, 7, 20), ("c-- d", 3, 0, 7, 22), ("c-- d", 4, 1, 7, 28),
    ]  # fmt: skip
    assert list(table[0]) == ["kind", "n", "m", "one", "size"]
    assert table.name == "mine"


def test_the_last_expression(notebook: Any) -> None:
    """Its value is a column; not a second time, where a variable has it."""
    notebook.batch("x ** 2", "--for x=[2,3]")
    assert list(notebook["sweep"]) == [{"x": 2, "result": 4}, {"x": 3, "result": 9}]
    notebook.batch("y = [x]\ny", "--for x=[2]")

    assert list(notebook["sweep"]) == [{"x": 2, "y": [2]}]


def shown_files(notebook: Any, error: BaseException) -> list[str]:
    """Return the places that a traceback shows."""
    lines = notebook.shown(error).splitlines()
    return [line for line in lines if line.startswith(("File ", "Cell "))]


def test_points_that_fail(notebook: Any) -> None:
    """The others are in the table; the exception is raised, and can be tried again."""
    notebook.run("bad = 2")
    error = notebook.failing("y = 1 / (x - bad)", "--for x=range(4)")
    assert isinstance(error, ZeroDivisionError)
    assert error.__notes__ == [
        "raised for point 2 of 4", "x = 2", "1 of 4 points failed; sweep has the others",
    ]  # fmt: skip
    # As that of any cell, it has no frames but the cell's own.
    assert shown_files(notebook, error) == ["Cell In[2], line 2"]
    sweep = notebook["sweep"]
    assert list(sweep.errors()) == [2]
    assert [row.get("y") for row in sweep.rows()] == [-0.5, -1.0, None, 1.0]
    frame = sweep.to_pandas()
    assert list(frame.columns) == ["x", "y", "error"]
    assert isinstance(frame["error"][2], ZeroDivisionError)
    assert "ZeroDivisionError: division by zero" in sweep._repr_html_()
    assert "1 failed" in sweep._repr_html_()
    again = sweep.retry_failed()
    assert isinstance(again, Sweep)
    assert again.wait(_PATIENCE)

    assert [row["x"] for row in again.rows()] == [0, 1, 2, 3]
    assert list(again.errors()) == [2]


def test_a_detached_sweep(notebook: Any, tmp_path: Path) -> None:
    """The table fills as the points end; attached by another kernel it is the same."""
    gate = tmp_path / "go"
    body = (
        "import os, time\n"
        f"while x and not os.path.exists({str(gate)!r}): time.sleep(0.02)\n"
        "if x == 2: raise ValueError(x)\n"
        "y = x + 1"
    )
    sweep = notebook.batch(body, "--for x=range(3) --detach")
    assert sweep[0] == {"x": 0, "y": 1}
    assert [row.get("y") for row in sweep.rows(wait=False)] == [1, None, None]
    assert "1 done" in sweep._repr_html_()
    gate.touch()
    assert sweep.wait(_PATIENCE)
    found = nbbatch.attach(sweep.id)

    assert isinstance(found, Sweep)
    assert found.wait(_PATIENCE)
    assert [(row["x"], row.get("y")) for row in found.rows()] == [(0, 1), (1, 2), (2, None)]
    assert str(list(found.rows())[2]["error"]) == "2"


def test_what_does_not_pickle_stays(notebook: Any) -> None:
    """It is left out of its row, and named in what the point has printed."""
    notebook.batch("import threading\nlock = threading.Lock()\ny = x", "--for x=[1]")

    assert list(notebook["sweep"]) == [{"x": 1, "y": 1}]
    assert "lock" in notebook["sweep"].logs()


def test_in_a_chain(notebook: Any) -> None:
    """Its cell may use what a detached one will bind, and another cell its table."""
    notebook.batch("x = 5", "--detach")
    notebook.batch("y = x * k", "--for k=[1,2]")
    notebook.batch("total = sum(row['y'] for row in sweep.result())")

    assert notebook["total"] == 15


def test_nothing_to_sweep(notebook: Any) -> None:
    """No values: a table without rows, and no job."""
    notebook.batch("y = x", "--for x=[]")

    assert list(notebook["sweep"]) == []
    assert "0 points" in notebook["sweep"]._repr_html_()
    assert len(notebook["sweep"].to_pandas()) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--for x", "it takes a name and its values"),
        ("--for x=", "it takes a name and its values"),
        ("--for 1x=[1]", "it takes a name and its values"),
        ("--for x=nothing", "NameError"),
        ("--for x=5", "not iterable"),
        ("--for x=[1", "SyntaxError"),
        ("--for x=[1] --for x=[2]", "given twice"),
        ("--for a,b=[1]", "each value must be 2"),
        ("--for x=range(10**7)", "too large"),
        ("--for x=[1] --out x", "it is a parameter"),
        ("--for x=[1] --nodes 2", "several nodes"),
        ("--for x=[print]", None),
    ],
)
def test_bad_axes(notebook: Any, line: str, said: str | None) -> None:
    """Nothing is sent, and the message says what to type."""
    if said is None:
        notebook.batch("y = x.__name__", line)
        assert notebook["sweep"][0]["y"] == "print"
        return
    error = notebook.failing("y = 1", line)

    assert isinstance(error, (errors.UsageError, errors.LimitError))
    assert said in str(error)
    assert list(current_session().jobs()) == []


def test_dry_run(notebook: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows one array job, and starts none."""
    notebook.batch("y = x", "--for x=range(7) --dry-run")

    assert '"children": 7' in capsys.readouterr().out
    assert list(current_session().jobs()) == []
