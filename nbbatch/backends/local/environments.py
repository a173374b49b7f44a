"""What the interpreter that is to run a job has: it is asked once, and again after changes."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from nbbatch.backends.base import Target
from nbbatch.errors import OptionError
from nbbatch.foldercache import FolderCache
from nbbatch.worker.run import fingerprint

#: Seconds that an interpreter may take to answer.
_PATIENCE = 60
_SCRIPT = Path(fingerprint.__file__)
#: What the worker is written for.
OLDEST = (3, 9)

_known: FolderCache[Target] = FolderCache()
#: Interpreters by their minor versions.
_found: dict[str, str] = {}


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
    return _known.get(program, lambda: _asked(program))


def check(executable: str, python: str | None) -> None:
    """Refuse an interpreter that is not there, too old, or another version than is asked for.

    Raises
    ------
    OptionError
        It is one of these.
    """
    if shutil.which(executable) is None:
        raise _unfit(executable, "there is no such program on this machine")
    try:
        there = environment(executable).python
    # What can't be asked may run jobs all the same.
    except OptionError:
        if python is None:
            return
        raise
    if tuple(map(int, re.findall(r"\d+", there))) < OLDEST:
        raise _unfit(executable, f"it is Python {there}, and jobs need 3.9 or newer")
    if python not in (None, there):
        raise OptionError(
            f"python = {python!r} can't be used",
            f"executable says which one is: {executable}, and that is Python {there}",
            f"leave one of them out, or name an interpreter of Python {python}",
        )


def interpreter(python: str) -> str | None:
    """Return an interpreter of a minor version, if this machine has one that works."""
    known = _found.get(python)
    if known is not None and os.path.exists(known):
        return known
    for folder in _folders(python):
        program = shutil.which(f"python{python}", path=folder)
        # Of a version manager's, that it is there does not mean that it runs.
        with contextlib.suppress(OptionError, OSError, subprocess.SubprocessError):
            if program is not None and environment(program).python == python:
                _found[python] = program
                return program
    return None


def _folders(python: str) -> Iterator[str]:
    """Yield where interpreters are: on the path, then where pyenv and uv put theirs."""
    yield from os.environ.get("PATH", os.defpath).split(os.pathsep)
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    pyenv = os.environ.get("PYENV_ROOT") or "~/.pyenv"
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or f"{data}/uv/python"
    for root, names in ((f"{pyenv}/versions", f"{python}.*"), (uv, f"cpython-{python}.*")):
        yield from sorted(glob.glob(os.path.expanduser(f"{root}/{names}/bin")), reverse=True)


def _unfit(executable: str, cause: str) -> OptionError:
    hint = "leave --executable out to run with the kernel's own Python"
    return OptionError(f"executable = {executable!r} can't be used", cause, hint)


def _asked(program: str) -> tuple[Target, list[str]]:
    done = subprocess.run(
        [program, str(_SCRIPT)], capture_output=True, text=True, check=False, timeout=_PATIENCE
    )
    try:
        found = dict(json.loads(done.stdout))
    except (ValueError, TypeError):
        last = done.stderr.strip().splitlines()[-1:] or [f"it exits with {done.returncode}"]
        raise _unfit(program, f"it does not run a Python program: {last[0].strip()}") from None
    target = Target(
        program, found["python"], found["machine"], found["libc"], found["packages"], known=True
    )
    return target, found["path"]
