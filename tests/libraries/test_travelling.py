"""The libraries of the kernel in jobs on an interpreter that has none of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nbbatch import batch
from nbbatch.session import current_session
from tests.libraries.conftest import Kernel, Notebook

pytestmark = pytest.mark.thorough

DATA = 'from pathlib import Path\ntext = (Path(__file__).parent / "data.txt").read_text()\n'


@pytest.fixture
def libraries(kernel: Kernel) -> Kernel:
    """Install a library with a data file and a program, and what it needs."""
    kernel.install("tiny-dep", "2.1")
    kernel.install(
        "tinylib",
        "1.5",
        files={
            "tinylib/__init__.py": "import tiny_dep\nclass Thing:\n    value = 7\n",
            "tinylib/deep/__init__.py": DATA,
            "tinylib/deep/data.txt": "data of it",
            "tinylib/cli.py": "def main():\n    print('the program ran')\n",
        },
        requires=["tiny-dep>=2", "not-here; extra == 'more'"],
        extras=["more"],
        scripts={"tinyprog": "tinylib.cli:main"},
    )
    kernel.install("unrelated")
    return kernel


def layers() -> set[str]:
    """Return the objects of libraries in the store."""
    return {key for key, _, _ in current_session().backend.store.list("layers/")}


def test_a_cell_finds_its_libraries(notebook: Notebook, libraries: Kernel, bare: str) -> None:
    """What it imports, and what that needs, in the same versions; nothing else of the kernel's."""
    notebook.batch(
        "import importlib.metadata, sys\n"
        "import tinylib.deep\n"
        "said = tinylib.deep.text\n"
        "found = {d.name: d.version for d in importlib.metadata.distributions()}\n"
        "printed = !tinyprog\n"
        "where = tinylib.__file__",
        f"--executable {bare}",
    )

    assert notebook["said"] == "data of it"
    assert notebook["found"] == {"tiny-dep": "2.1", "tinylib": "1.5"}
    assert list(notebook["printed"]) == ["the program ran"]
    assert os.environ["NBBATCH_HOME"] in notebook["where"]


def settled() -> set[str]:
    """Return them once nothing is compiled in the background any more."""
    current_session().supply.settle()
    return layers()


#: As data frames have it: what draws is no requirement, and loaded only then.
FRAME = """
class Frame:
    def plot(self):
        import drawing
        return drawing.__version__
"""


@pytest.fixture
def frames(kernel: Kernel) -> None:
    """Install a library that draws with another one, which nobody has loaded."""
    kernel.install("drawing", "3.1")
    requires = ["drawing; extra == 'plot'"]
    kernel.install("framelib", files={"framelib.py": FRAME}, requires=requires, extras=["plot"])


#: Where the method is called; the last line of it is the cell.
CALLS = {
    "cell": ["import framelib", "v = framelib.Frame().plot()"],
    "function": [
        "import framelib\ndef draw():\n    return framelib.Frame().plot()",
        "v = draw()",
    ],
    "module": ["import drawer", "v = drawer.draw()"],
}
DRAWER = "import framelib\ndef draw():\n    return framelib.Frame().plot()\n"


@pytest.mark.parametrize("where", CALLS)
def test_what_a_method_looks_for(
    notebook: Notebook,
    frames: None,
    bare: str,
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Optional, and used for the first time in the job: the code has a word for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("drawer.py").write_text(DRAWER)
    before, cell = CALLS[where]
    notebook.run(before)
    notebook.batch(cell, f"--executable {bare}")

    assert notebook["v"] == "3.1"


def test_the_second_job_sends_nothing(notebook: Notebook, libraries: Kernel, bare: str) -> None:
    """Neither built nor sent nor unpacked again: the same files serve."""
    notebook.batch("import tinylib\na = tinylib.__file__", f"--executable {bare}")
    sent = settled()
    notebook.batch("import tinylib\na = tinylib.__file__", f"--executable {bare}")
    facts = os.stat(notebook["a"])
    notebook.batch("import tinylib\nb = tinylib.__file__", f"--executable {bare}")

    assert settled() == sent
    assert notebook["a"] == notebook["b"]
    assert (os.stat(notebook["b"]).st_ino, os.stat(notebook["b"]).st_mtime) == (
        facts.st_ino,
        facts.st_mtime,
    )


def test_one_more_library_is_one_more_layer(
    notebook: Notebook, libraries: Kernel, bare: str
) -> None:
    """Adding a package sends that package, and its bytecode later."""
    notebook.batch("import tinylib", f"--executable {bare}")
    before = settled()
    notebook.batch("import tinylib, unrelated\nv = unrelated.__version__", f"--executable {bare}")

    assert notebook["v"] == "1.0"
    assert len(settled() - before) == 2


def test_values_bring_their_libraries(notebook: Notebook, libraries: Kernel, bare: str) -> None:
    """The type of a value names its library, though the cell imports nothing."""
    notebook.run("import tinylib\nthing = tinylib.Thing()")
    notebook.batch("v = thing.value", f"--executable {bare}")

    assert notebook["v"] == 7


def test_functions_bring_what_they_import(local_session: Any, libraries: Kernel, bare: str) -> None:
    """Inside functions, too."""

    @batch(executable=bare)
    def inner() -> str:
        def deeper() -> str:
            import tinylib.deep

            return tinylib.deep.text

        return deeper()

    assert inner.submit().result(60) == "data of it"


def test_local_modules_bring_what_they_import(
    notebook: Notebook,
    libraries: Kernel,
    bare: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A module beside the notebook is read for its imports."""
    (tmp_path / "helpers_of_test.py").write_text("import tinylib.deep\ntext = tinylib.deep.text\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    notebook.batch("from helpers_of_test import text as t", f"--executable {bare}")

    assert notebook["t"] == "data of it"


def test_what_is_there_is_not_sent(notebook: Notebook, libraries: Kernel) -> None:
    """On the kernel's own interpreter nothing travels."""
    notebook.batch("import numpy\nv = numpy.__version__")

    assert layers() == set()
    assert not (Path(os.environ["NBBATCH_HOME"]) / "libraries").exists()


def test_bytecode_follows(notebook: Notebook, libraries: Kernel, bare: str) -> None:
    """What has no bytecode yet is compiled in the background; later jobs are given it."""
    notebook.batch("import tinylib", f"--executable {bare}")
    settled()
    found = "sorted(os.listdir(os.path.dirname(tinylib.__cached__)))"
    notebook.batch(
        f"import os, sys\nsys.dont_write_bytecode = True\nimport tinylib\nfound = {found}",
        f"--executable {bare}",
    )

    assert [name.partition(".")[0] for name in notebook["found"]] == ["__init__", "cli"]
