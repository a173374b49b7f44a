"""What the installed files can't do is had from an index: wheels in a folder, here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nbbatch.libraries.indexes import uv_environment
from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.shop import Made, wheel


def made(version: str, tag: str = "py3-none-any") -> Made:
    """Return a library that says where it comes from."""
    return Made("tinylib", version, {"tinylib/__init__.py": "origin = 'a wheel'\n"}, tag=tag)


def test_from_wheels(notebook: Notebook, kernel: Kernel, bare: str, wheels: Path) -> None:
    """The same version, for the place where the job runs; the second time nobody resolves."""
    kernel.install("tinylib", "1.5", tag="py3-none-manylinux_2_99_x86_64")
    wheel(made("1.5"), wheels)
    wheel(made("1.6"), wheels)
    cell = "import tinylib, importlib.metadata as m\nv = tinylib.origin, m.version('tinylib')"
    notebook.batch(cell, f"--executable {bare}")
    assert notebook["v"] == ("a wheel", "1.5")
    for path in wheels.iterdir():
        path.unlink()
    notebook.batch(cell, f"--executable {bare}")

    assert notebook["v"] == ("a wheel", "1.5")


def test_what_only_the_place_needs(
    notebook: Notebook, kernel: Kernel, bare: str, wheels: Path
) -> None:
    """A requirement that nobody has here is resolved, in the newest version that is allowed."""
    kernel.install("toplib", requires=["tinylib<1.6"])
    wheel(made("1.5"), wheels)
    wheel(made("1.6"), wheels)
    cell = "import toplib, importlib.metadata as m\nv = m.version('tinylib')"
    for _ in range(2):
        notebook.batch(cell, f"--executable {bare}")
        assert notebook["v"] == "1.5"
        for path in wheels.iterdir():
            path.unlink()


def test_pip_tells_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uv has no settings of its own, pip's count: files, then the environment."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text(
        "[global]\nindex-url = https://files.invalid/simple\n"
        f"find-links = {tmp_path} {tmp_path}/none\n"
        "[install]\nextra-index-url = https://more.invalid/simple file:///no/such\n"
    )
    plain = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    found = uv_environment(plain)

    assert found["UV_DEFAULT_INDEX"] == "https://files.invalid/simple"
    assert found["UV_INDEX"] == "https://more.invalid/simple"
    assert found["UV_FIND_LINKS"] == str(tmp_path)
    asked = {**plain, "PIP_INDEX_URL": "https://asked.invalid/simple"}
    assert uv_environment(asked)["UV_DEFAULT_INDEX"] == "https://asked.invalid/simple"
    own = {**plain, "UV_INDEX_URL": "https://own.invalid"}
    assert "UV_DEFAULT_INDEX" not in uv_environment(own)
    assert "UV_INDEX" not in uv_environment({**plain, "PIP_CONFIG_FILE": os.devnull})
