"""Where editable installs have their sources."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

__all__ = ["editable_roots"]

_roots: dict[Path, tuple[int, frozenset[Path]]] = {}


def editable_roots() -> set[Path]:
    """Return the project directories that are installed as editable in this Python.

    Each installation directory is read again only when something in it was installed or removed.
    """
    installations = (at for at in sys.path if at.endswith(("site-packages", "dist-packages")))
    return {root for directory in installations for root in _roots_in(Path(directory))}


def _roots_in(directory: Path) -> frozenset[Path]:
    try:
        changed = directory.stat().st_mtime_ns
        known = _roots.get(directory)
        if known is None or known[0] != changed:
            known = _roots[directory] = (changed, _read_roots(directory))
    except OSError:
        return frozenset()
    return known[1]


def _read_roots(directory: Path) -> frozenset[Path]:
    records = [entry for entry in directory.iterdir() if entry.suffix == ".dist-info"]
    roots = (_root(record / "direct_url.json") for record in records)
    return frozenset(root for root in roots if root is not None)


def _root(record: Path) -> Path | None:
    """Return the directory named in a ``direct_url.json`` (PEP 610) of an editable install."""
    try:
        origin = json.loads(record.read_text(encoding="utf-8"))
        url = urlsplit(origin["url"])
        if url.scheme == "file" and origin["dir_info"]["editable"]:
            return Path(url2pathname(url.path))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None
