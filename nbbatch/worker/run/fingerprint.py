"""What an image has: its Python, its platform, its distributions; read from names of folders.

Also a script, for an interpreter of this machine that runs no worker yet: it imports nothing of
nbbatch, and prints what `take` returns.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any, Dict, Iterable, Optional

_RECORD = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-py[0-9.]+)?\.(dist|egg)-info")


def take(path: Optional[Iterable[str]] = None) -> Dict[str, Any]:
    """Return what code run by this Python finds, as JSON values.

    Parameters
    ----------
    path
        Where to look for distributions; by default on ``sys.path``.
    """
    folders = [place for place in (sys.path if path is None else path) if os.path.isdir(place)]
    return {
        "python": python(),
        "system": os.uname().sysname,
        "machine": os.uname().machine,
        "libc": libc(),
        "packages": packages(folders),
        "path": folders,
    }


def python() -> str:
    """Return the minor version; ``3.13t`` where threads run freely."""
    threads = "t" if "t" in getattr(sys, "abiflags", "") else ""
    return f"{sys.version_info[0]}.{sys.version_info[1]}{threads}"


def libc() -> str:
    """Return the C library, as ``glibc 2.36``; ``musl`` for any other on Linux."""
    try:
        found = os.confstr("CS_GNU_LIBC_VERSION")
    # No such name: it is another library.
    except (AttributeError, ValueError, OSError):
        found = None
    return found or ("musl" if sys.platform == "linux" else sys.platform)


def packages(folders: Iterable[str]) -> Dict[str, str]:
    """Return the distributions in `folders`, by normalised name; the first one found counts."""
    found: Dict[str, str] = {}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for entry in names:
            match = _RECORD.fullmatch(entry)
            if match is not None:
                found.setdefault(normalized(match["name"]), match["version"])
    return found


def normalized(name: str) -> str:
    """Return a distribution's name as all spellings of it are compared.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    import json

    # This script's own folder is none of the image's.
    print(json.dumps(take(sys.path[1:])))
