"""What the kernel still runs after another version was installed in its place."""

from __future__ import annotations

import importlib
import shutil
import sys
from types import ModuleType
from typing import Any

import pytest

from nbbatch.libraries.installed import Installed
from nbbatch.libraries.loaded import outdated
from nbbatch.libraries.needs import find_needs
from nbbatch.libraries.plan import make_plan
from nbbatch.libraries.targets import kernel_target
from tests.libraries.conftest import Kernel, Notebook

IMAGE = kernel_target()


def began(monkeypatch: pytest.MonkeyPatch, at: float) -> None:
    """Have this process begin at a time."""
    psutil: Any = ModuleType("psutil")
    psutil.Process = lambda: psutil
    psutil.create_time = lambda: at
    monkeypatch.setitem(sys.modules, "psutil", psutil)


def said(kernel: Kernel) -> list[str]:
    """Return what is said of a job that imports the library."""
    there = Installed([kernel.site])
    needs = find_needs({"tinylib": "it is imported"}, (), there, IMAGE)
    return outdated(make_plan(needs, IMAGE))


def test_an_upgrade_under_a_running_kernel(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job gets what is installed; that the kernel has another is said."""
    began(monkeypatch, 0)
    kernel.install("tinylib", "1.0")
    assert said(kernel) == []
    importlib.import_module("tinylib")
    assert said(kernel) == []
    replaced(kernel)

    (note,) = said(kernel)
    assert "tinylib 2.0 goes to the job, and the kernel still has 1.0 loaded" in note
    # What says a wrong version of itself has done so since the kernel began.
    began(monkeypatch, float("inf"))
    assert said(kernel) == []


def replaced(kernel: Kernel) -> None:
    """Install another version in the place of the first."""
    shutil.rmtree(kernel.site / "tinylib-1.0.dist-info")
    kernel.install("tinylib", "2.0")


@pytest.mark.parametrize(
    ("loaded", "same"), [("2", True), ("2.0.0", True), ("2.0rc1", False), ("of today", True)]
)
def test_versions_that_are_the_same(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, loaded: str, same: bool
) -> None:
    """A module may say less than its distribution, or something else altogether."""
    began(monkeypatch, 0)
    kernel.install("tinylib", "2.0", files={"tinylib.py": ""})
    module: Any = ModuleType("tinylib")
    module.__version__ = loaded
    monkeypatch.setitem(sys.modules, "tinylib", module)

    assert (said(kernel) == []) is same


@pytest.mark.thorough
def test_it_is_said_once(
    notebook: Notebook, kernel: Kernel, bare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a warning, before the job starts, which has the new version."""
    began(monkeypatch, 0)
    kernel.install("tinylib", "1.0")
    notebook.run("import tinylib")
    replaced(kernel)
    with pytest.warns(RuntimeWarning, match="the kernel still has 1.0 loaded"):
        notebook.batch(
            "def look():\n import tinylib\n return tinylib.__version__\nv = look()",
            f"--executable {bare}",
        )

    assert notebook["v"] == "2.0"
