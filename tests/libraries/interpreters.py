"""Real interpreters in packages: that of this process, as conda or `uv` would ship one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Of the standard library, what no job of the tests asks for.
_LEFT_OUT = {
    *("__pycache__", "dist-packages", "site-packages", "test", "tests"),
    *("curses", "dbm", "distutils", "ensurepip", "idlelib", "lib2to3", "msilib", "pydoc_data"),
    *("sqlite3", "tkinter", "turtledemo", "unittest", "venv", "wsgiref", "xml", "xmlrpc"),
}
#: Beginnings of modules' names: codecs of far countries, and the like.
_PARTS = ("_test", "_codecs_", "_curses", "_sqlite3", "_tkinter", "cp1", "cp8", "iso", "mac_")
_ASK = """
import json, os, platform, sys, sysconfig
known = sysconfig.get_config_vars()
shared = os.path.join(known["LIBDIR"], known["INSTSONAME"]) if known["Py_ENABLE_SHARED"] else ""
paths = sysconfig.get_path("stdlib"), sysconfig.get_path("include"), shared
print(json.dumps([os.path.realpath(sys.executable), platform.python_version(), *paths]))
"""
#: Runs Python from a shared library that lies beside it, wherever both are.
_LAUNCHER = "#include <Python.h>\nint main(int n, char **v) { return Py_BytesMain(n, v); }\n"


class Shipped(NamedTuple):
    """An interpreter's files, by their places below a prefix."""

    version: str
    files: dict[str, Path]

    @property
    def minor(self) -> str:
        """Its minor version."""
        return ".".join(self.version.split(".")[:2])

    @property
    def links(self) -> dict[str, str]:
        """The other names of its program."""
        return {f"bin/{name}": f"python{self.minor}" for name in ("python", "python3")}


def shipped(executable: str = sys.executable, made_in: Path | None = None) -> Shipped:
    """Return the files of an interpreter of this machine.

    Parameters
    ----------
    made_in
        Where to make a program of it that also runs on other machines.
    """
    done = subprocess.run([executable, "-c", _ASK], capture_output=True, text=True, check=True)
    program, version, library, include, shared = json.loads(done.stdout)
    minor = ".".join(version.split(".")[:2])
    files = {f"bin/python{minor}": Path(program)}
    if shared and made_in is not None:
        files[f"lib/{Path(shared).name}"] = Path(shared)
        files[f"bin/python{minor}"] = _launcher(Path(shared), include, made_in)
    for path in _library(Path(library)):
        files[f"lib/python{minor}/{path.relative_to(library).as_posix()}"] = path
    return Shipped(version, files)


def _launcher(shared: Path, include: str, folder: Path) -> Path:
    program = folder / "launcher"
    command = ["gcc", "-xc", "-", "-o", str(program), f"-I{include}", "-xnone", str(shared)]
    subprocess.run([*command, "-Wl,-rpath,$ORIGIN/../lib"], input=_LAUNCHER, text=True, check=True)
    return program


def _library(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if n not in _LEFT_OUT and not n.startswith("config-")]
        for name in names:
            if not name.startswith(_PARTS) and not name.endswith((".a", ".pyc")):
                yield Path(place, name)


def standalone(found: Shipped, folder: Path, machine: str) -> dict[str, object]:
    """Write what `uv` downloads of an interpreter; return what it is told of downloads."""
    path = folder / f"cpython-{found.version}.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=0) as archive:
        for name, source in found.files.items():
            archive.add(source, f"python/{name}")
        for name, target in found.links.items():
            link = tarfile.TarInfo(f"python/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link, io.BytesIO())
    major, minor, patch = found.version.split(".")
    return {
        f"cpython-{found.version}-linux-{machine}-gnu": {
            "name": "cpython",
            "arch": {"family": machine, "variant": None},
            "os": "linux",
            "libc": "gnu",
            "major": int(major),
            "minor": int(minor),
            "patch": int(patch),
            "prerelease": "",
            "url": path.as_uri(),
            "sha256": None,
            "variant": None,
            "build": "20260101",
        }
    }
