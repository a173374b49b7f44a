"""What calls an executor: `map`, a notebook, asyncio."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nbbatch import BatchExecutor
from tests.executor.stages import fail
from tests.integration.conftest import Notebook

pytestmark = pytest.mark.usefixtures("local_session")


def test_map(one: BatchExecutor) -> None:
    """In order, in chunks as well; what one raises is raised in its place."""
    assert list(one.map(pow, range(7), range(7), chunksize=3)) == [n**n for n in range(7)]
    assert list(one.map(pow, [], [])) == []
    values = one.map(divmod, [1, 1], [1, 0])
    assert next(values) == (1, 0)
    with pytest.raises(ZeroDivisionError):
        next(values)
    with pytest.raises(ValueError, match="chunksize"):
        one.map(abs, [1], chunksize=0)


def test_in_a_notebook(notebook: Notebook) -> None:
    """Functions of cells see the variables that they use, as they are when they are submitted."""
    notebook.run("from nbbatch import BatchExecutor\nfactor = 2\ndef f(x): return factor * x")
    notebook.run(
        "with BatchExecutor(1) as e:\n"
        "    a = e.submit(f, 1)\n    first = a.result(60)\n    factor = 3\n"
        "    second = list(e.map(f, [1, 2]))"
    )
    assert (notebook["first"], notebook["second"]) == (2, [3, 6])
    result = notebook._shell.run_cell(
        "def g(x):\n    return 1 / x\nwith BatchExecutor(1) as e:\n    e.submit(g, 0).result(60)"
    )
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    shown = notebook.shown(result.error_in_exec)
    assert "return 1 / x" in shown
    # From the cell that asked to the one that raised: nothing of ours, or the library's, between.
    places = [line for line in shown.splitlines() if line.startswith(("File ", "Cell "))]
    assert [place.partition(",")[0] for place in places] == ["Cell In[3]", "Cell In[3]"]


def test_asyncio(one: BatchExecutor) -> None:
    """`run_in_executor` takes it; values are unpickled in the loop's thread."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(one, pow, 2, n) for n in range(4)]
        bad = loop.run_in_executor(one, fail, "x")
        return await asyncio.gather(*calls, bad, return_exceptions=True)

    *values, error = asyncio.run(main())
    assert values == [1, 2, 4, 8]
    assert isinstance(error, ValueError)
