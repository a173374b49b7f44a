"""Where editable installs have their sources, and what is said of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from nbbatch.foldercache import FolderCache

__all__ = ["editable_roots", "metadata_of"]

_known: Final[FolderCache[Mapping[Path, Path]]] = FolderCache()
#: Of its ``.dist-info``, what code asks for; the rest is about files and folders of this machine.
_TOLD: Final = ("METADATA", "entry_points.txt", "top_level.txt")


def editable_roots() -> set[Path]:
    """Return the project directories that are installed as editable in this Python.

    Each installation directory is read again only when something in it was installed or removed.
    """
    return set(_installed())


def metadata_of(place: Path) -> list[tuple[str, Path]]:
    """Return what is said of the editable install whose sources lie in `place`, if any do.

    Pairs of the name beside the sources, where `importlib.metadata` looks for it, and the file.
    """
    installed = _installed()
    above = [root for root in installed if place.is_relative_to(root)]
    if not above:
        return []
    record = installed[max(above, key=lambda root: len(root.parts))]
    return [(f"{record.name}/{n}", record / n) for n in _TOLD if (record / n).is_file()]


def _installed() -> dict[Path, Path]:
    """Return the ``.dist-info`` of each editable install, by its root."""
    folders = (at for at in sys.path if at.endswith(("site-packages", "dist-packages")))
    found: dict[Path, Path] = {}
    for folder in folders:
        found = {**_roots_in(Path(folder)), **found}
    return found


def _roots_in(directory: Path) -> Mapping[Path, Path]:
    try:
        return _known.get(directory, lambda: (_read_roots(directory), [str(directory)]))
    except OSError:
        return {}


def _read_roots(directory: Path) -> Mapping[Path, Path]:
    records = [entry for entry in directory.iterdir() if entry.suffix == ".dist-info"]
    roots = ((_root(record / "direct_url.json"), record) for record in records)
    return {root: record for root, record in roots if root is not None}


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
