"""What is refused before anything is sent, and what is only said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from nbbatch.errors import LibraryError
from nbbatch.session import current_session
from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.shop import Made

CLASS = "class Thing:\n    value = 7\n"


def sent() -> list[str]:
    """Return what is in the store besides the worker."""
    store = current_session().backend.store
    return [key for key, _, _ in store.list("") if not key.startswith("worker/")]


def test_a_missing_library(notebook: Notebook, kernel: Kernel, bare: str) -> None:
    """With --env image, what the cell imports must be there."""
    kernel.install("tinylib")
    error = notebook.failing("import tinylib", f"--executable {bare} --env image")

    assert isinstance(error, LibraryError)
    assert "tinylib 1.0 is not there: the cell imports it" in error.cause
    assert "--env auto" in error.hint
    assert sent() == []


def test_values_of_another_major_version(
    notebook: Notebook, kernel: Kernel, furnished: Any
) -> None:
    """A pickle of version 2 is not for version 1."""
    kernel.install("tinylib", "2.0", files={"tinylib/__init__.py": CLASS})
    there = furnished(Made("tinylib", "1.9", {"tinylib/__init__.py": CLASS}))
    notebook.run("import tinylib\nthing = tinylib.Thing()")
    error = notebook.failing("v = thing.value", f"--executable {there} --env image")

    assert isinstance(error, LibraryError)
    assert "tinylib is 1.9 there and 2.0 here, and values made by it travel" in error.cause


def test_another_version_that_may_do(notebook: Notebook, kernel: Kernel, furnished: Any) -> None:
    """What only differs is a warning."""
    kernel.install("tinylib", "1.2")
    there = furnished(Made("tinylib", "1.9", {"tinylib/__init__.py": "__version__ = '1.9'\n"}))
    with pytest.warns(RuntimeWarning, match="tinylib is 1.9 there and 1.2 here"):
        notebook.batch(
            "import tinylib\nv = tinylib.__version__", f"--executable {there} --env image"
        )

    assert notebook["v"] == "1.9"


def test_auto_sends_the_version_of_the_kernel(
    notebook: Notebook, kernel: Kernel, furnished: Any
) -> None:
    """What differs is sent, and found before what is there; what is the same is not sent."""
    kernel.install("tinylib", "1.2")
    kernel.install("sharedlib", "3.0")
    there = furnished(
        Made("tinylib", "1.9", {"tinylib/__init__.py": "__version__ = '1.9'\n"}),
        Made("sharedlib", "3.0", {"sharedlib/__init__.py": "__version__ = '3.0'\n"}),
    )
    notebook.batch(
        "import tinylib, sharedlib\n"
        "v = tinylib.__version__, sharedlib.__version__\nw = sharedlib.__file__",
        f"--executable {there}",
    )

    assert notebook["v"] == ("1.2", "3.0")
    assert notebook["w"].startswith(str(Path(there).parent.parent))


def test_none_does_nothing(notebook: Notebook, kernel: Kernel, bare: str) -> None:
    """Neither sent nor compared: the code finds what it finds."""
    kernel.install("tinylib")
    error = notebook.failing("import tinylib", f"--executable {bare} --env none")

    assert isinstance(error, ModuleNotFoundError)


def test_a_library_that_nobody_has(notebook: Notebook, kernel: Kernel, bare: str) -> None:
    """What has no files for the place, and no index has, is refused with the index's words."""
    kernel.install("tinylib", tag="py3-none-manylinux_2_99_x86_64")
    error = notebook.failing("import tinylib", f"--executable {bare}")

    assert isinstance(error, LibraryError)
    assert "tinylib" in error.cause
    assert "--env image" in error.hint
    assert not [key for key in sent() if key.startswith("jobs/")]


def test_the_table(
    notebook: Notebook, kernel: Kernel, bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%batch env` says what would go and why; a dry run says it of the cell."""
    kernel.install("tinylib", files={"tinylib/__init__.py": CLASS})
    notebook.run("import tinylib\nthing = tinylib.Thing()")
    capsys.readouterr()
    notebook.run(f"%batch env --executable {bare}")
    said = capsys.readouterr().out
    notebook.batch("import tinylib", f"--executable {bare} --dry-run")

    assert said.splitlines()[0].startswith(f"{bare}: Python {sys.version_info[0]}.")
    assert "tinylib  1.0  sent" in said
    assert "tinylib  1.0  sent  the cell imports it" in capsys.readouterr().out
    assert sent() == []
