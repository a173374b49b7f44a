"""What the interpreter that is to run a job has: it is asked once, and again after changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from nbbatch.backends.base import Target
from nbbatch.errors import OptionError
from nbbatch.worker.run import fingerprint

#: Seconds that an interpreter may take to answer.
_PATIENCE = 60
_SCRIPT = Path(fingerprint.__file__)

_known: dict[str, tuple[tuple[tuple[str, int], ...], Target]] = {}


def environment(executable: str) -> Target:
    """Return what code finds that an interpreter of this machine runs.

    Raises
    ------
    OptionError
        It is no Python that works.
    """
    program = shutil.which(executable) or executable
    # Not its real path: that of a virtual environment is the Python that it was made of.
    if os.path.abspath(program) == os.path.abspath(sys.executable):
        machine, libc = os.uname().machine, fingerprint.libc()
        return Target(program, fingerprint.python(), machine, libc, known=True, here=True)
    known = _known.get(program)
    if known is None or known[0] != _state(path for path, _ in known[0]):
        known = _known[program] = _asked(program)
    return known[1]


def check_python(executable: str, python: str) -> None:
    """Refuse an interpreter of another minor version than the one that is asked for.

    Raises
    ------
    OptionError
        It is of another, or none of that version is on this machine.
    """
    there = environment(executable).python
    if there != python:
        raise OptionError(
            f"python = {python!r} can't be used",
            f"{executable} is Python {there}, and there is no other on this machine's PATH",
            f"install Python {python}, or name its interpreter: --executable /path/to/python",
        )


def _asked(program: str) -> tuple[tuple[tuple[str, int], ...], Target]:
    done = subprocess.run(
        [program, str(_SCRIPT)], capture_output=True, text=True, check=False, timeout=_PATIENCE
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or [f"it exits with {done.returncode}"]
        raise OptionError(
            f"executable = {program!r} can't be used",
            f"it does not run a Python program: {last[0]}",
            "leave --executable out to run with the kernel's own Python",
        ) from None
    target = Target(
        program, found["python"], found["machine"], found["libc"], found["packages"], known=True
    )
    return _state(found["path"]), target


def _state(path: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple((place, os.stat(place).st_mtime_ns) for place in path if os.path.isdir(place))
