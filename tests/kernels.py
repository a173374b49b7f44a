"""Kernels of several versions of ipykernel, for the tests that depend on it.

``NBBATCH_TEST_KERNELS`` names them, as ``6.31.0,7.3.0,installed``; by default it is the installed
one alone. Others are installed beside it with pip, once, into the folder that
``NBBATCH_TEST_KERNELS_FOLDER`` names, by default one in the user's own folder for temporary files.
"""

from __future__ import annotations

import contextlib
import getpass
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = "installed"
# Read at once: each test runs in an environment that names nothing of ours.
_NAMED = os.environ.get("NBBATCH_TEST_KERNELS") or INSTALLED
_FOLDER = os.environ.get("NBBATCH_TEST_KERNELS_FOLDER")


def named() -> list[str]:
    """Return the versions to test with, as they are named."""
    return _NAMED.split(",")


def spec_of(version: str) -> str:
    """Return the name of a version's kernelspec."""
    return "python3" if version == INSTALLED else f"ipykernel-{version}"


def jupyter_path() -> Path:
    """Return the folder for ``JUPYTER_PATH`` that has the kernelspecs; make what is missing."""
    folder = _folder()
    for version in named():
        if version != INSTALLED:
            _make(folder, version)
    return folder


def _folder() -> Path:
    if _FOLDER:
        return Path(_FOLDER)
    return Path(tempfile.gettempdir()) / f"nbbatch-kernels-{getpass.getuser()}"


def _make(folder: Path, version: str) -> None:
    """Write a kernelspec; as the last thing, so that a broken installation is made again."""
    python = f"py{sys.version_info[0]}{sys.version_info[1]}"
    libraries = folder / "libraries" / f"{python}-{version}"
    if not (libraries / "complete").exists():
        _install(libraries, version)
    spec = folder / "kernels" / spec_of(version)
    spec.mkdir(parents=True, exist_ok=True)
    paths = [libraries, ROOT, ROOT / "tests" / "browser"]
    launcher = ["-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    content = {
        "argv": [sys.executable, *launcher],
        "display_name": f"ipykernel {version}",
        "language": "python",
        "env": {"PYTHONPATH": os.pathsep.join(map(str, paths))},
    }
    (spec / "kernel.json").write_text(json.dumps(content))


def _install(libraries: Path, version: str) -> None:
    # What ipykernel 6 needs besides, and later ones do not.
    extra = ["nest_asyncio"] if version.startswith("6.") else []
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
    pip += ["--disable-pip-version-check", "--target", str(libraries)]
    subprocess.run([*pip, f"ipykernel=={version}", *extra], check=True)
    (libraries / "complete").touch()


@contextlib.contextmanager
def to_themselves() -> Iterator[None]:
    """Give kernels that this process starts a profile, and sockets, that nobody else has.

    On ports somebody else may be faster to take what was free when a kernel was given it.
    """
    # The names of sockets have to be short.
    with tempfile.TemporaryDirectory(prefix="kernels-") as folder:
        names = (f"{folder}/{number}" for number in itertools.count())
        init = KernelManager.__init__

        def on_sockets(self: KernelManager, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **{"transport": "ipc", "ip": next(names), **kwargs})

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(KernelManager, "__init__", on_sockets)
            patch.setenv("IPYTHONDIR", f"{folder}/ipython")
            yield
