"""The interpreters of this machine that the worker is meant for."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def find(version: str) -> str | None:
    """Return an interpreter of a minor version, wherever its manager has put it."""
    homes = [Path.home() / ".pyenv", Path(os.environ.get("PYENV_ROOT") or os.devnull)]
    for home in homes:
        for path in sorted(home.glob(f"versions/{version}.*/bin/python")):
            return str(path)
    on_path = shutil.which(f"python{version}")
    return on_path if on_path and _works(on_path) else None


@functools.cache
def pythons() -> dict[str, str]:
    """Return an interpreter of each supported version that there is; our own among them."""
    found = {version: find(version) for version in VERSIONS}
    return {**{v: path for v, path in found.items() if path}, HERE: sys.executable}


def _works(path: str) -> bool:
    # A version manager's stand-in may be there without the version.
    return subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0
