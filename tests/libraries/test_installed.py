"""What is installed here is read again where something may have been installed since."""

from __future__ import annotations

import compileall
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nbbatch.backends.base import Target
from nbbatch.capture.values import Scene, capture_cell
from nbbatch.libraries import Librarian
from nbbatch.libraries.installed import installed
from nbbatch.wire import layers
from nbbatch.worker.stores.directory import DirectoryStore
from tests.libraries.conftest import Kernel

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_what_is_installed_at_once(kernel: Kernel) -> None:
    """A folder's time need not tell: its clock may not have ticked in between."""
    now = time.time_ns() + 10**12
    kernel.install("firstlib")
    os.utime(kernel.site, ns=(now, now))
    assert "firstlib" in installed().by_name
    kernel.install("secondlib")
    os.utime(kernel.site, ns=(now, now))

    assert "secondlib" in installed().by_name


def test_what_is_old_is_read_once(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until its time is another."""
    monkeypatch.setattr(sys, "path", [str(kernel.site)])
    kernel.install("firstlib")
    os.utime(kernel.site, (1000, 1000))
    found = installed()

    assert installed() is found
    kernel.install("secondlib")
    assert "secondlib" in installed().by_name


@pytest.mark.parametrize("loaded", [True, False])
def test_an_editable_install_that_a_library_requires(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: bool
) -> None:
    """It travels as files, with what it imports in its turn, though no code here names it."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "the_fork.py").write_text("import deeplib\n")
    monkeypatch.syspath_prepend(str(project))
    kernel.install("deeplib")
    made = kernel.install("the-fork-of-it" if loaded else "the-fork", files={})
    kernel.install("tinylib", requires=[made.name])
    origin = {"url": project.as_uri(), "dir_info": {"editable": True}}
    (kernel.site / made.record / "direct_url.json").write_text(json.dumps(origin))
    if loaded:
        spec = importlib.util.find_spec("the_fork")
        assert spec is not None
        monkeypatch.setitem(sys.modules, "the_fork", importlib.util.module_from_spec(spec))

    captured = capture_cell([], {}, Scene(tmp_path, ["tinylib"]))

    assert set(captured.places) == {"the_fork"}
    assert captured.wants == {
        "tinylib": "the cell imports it",
        "deeplib": "the_fork imports it",
    }


def test_bytecode_that_comes_meanwhile(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is imported here before it is compiled for later jobs is sent to them all the same."""
    kernel.install("tinylib", files={"tinylib/__init__.py": "", "tinylib/more.py": ""})
    store, later = DirectoryStore(str(tmp_path / "store")), []
    librarian = Librarian(tmp_path / "cache", store)
    monkeypatch.setattr(librarian, "_later", later.append)

    def sent() -> Any:
        target = Target("image", HERE, os.uname().machine, "glibc 2.36", known=True)
        return librarian.send(librarian.plan({"tinylib": "it is imported"}, target)).layers

    sent()
    compileall.compile_dir(kernel.site, quiet=2)
    for work in later:
        work()
    for layer in sent():
        for piece in layer.pieces:
            layers.unpack(store.get(layers.key(piece.digest)) or b"", str(tmp_path / "there"))

    found = [path.name.partition(".")[0] for path in (tmp_path / "there").rglob("*.pyc")]
    assert sorted(found) == ["__init__", "more"]
