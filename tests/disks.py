"""A disk that is soon full, for tests of what a full one leaves."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int, *, run: bool = True) -> Iterator[Path]:
    """Make a folder, on a disk of its own of so many MB; skip the test where that can't be.

    Parameters
    ----------
    run
        Whether what is on it may be run.
    """
    if os.getuid() != 0 or sys.platform != "linux":
        pytest.skip("needs a mount")
    folder.mkdir()
    options = f"size={megabytes}m,{'exec' if run else 'noexec'}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no room on a small disk."""
    with contextlib.suppress(OSError), (folder / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
