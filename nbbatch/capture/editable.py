"""Where editable installs have their sources, and what is said of them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Container, Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from nbbatch.foldercache import FolderCache

__all__ = ["editable_roots", "is_spread", "metadata_of", "modules_of", "recorded", "spread"]


class _Editable(NamedTuple):
    """Its ``.dist-info``, and the names of its own files beside that: what was compiled."""

    record: Path
    own: frozenset[str]


_known: Final[FolderCache[Mapping[Path, _Editable]]] = FolderCache()
#: Of its ``.dist-info``, what code asks for; the rest is about files and folders of this machine.
_TOLD: Final = ("METADATA", "entry_points.txt", "top_level.txt")


def editable_roots() -> set[Path]:
    """Return the project directories that are installed as editable in this Python.

    Each installation directory is read again only when something in it was installed or removed.
    """
    return set(_installed())


def modules_of(records: Container[Path]) -> set[str]:
    """Return the top-level modules of editable installs by their ``.dist-info``.

    Few say what they are: those that are loaded count too, and one of the distribution's name.
    """
    found: set[str] = set()
    for root, (record, _) in _installed().items():
        if record in records:
            told = record / "top_level.txt"
            found.update(told.read_text("utf-8").split() if told.is_file() else ())
            found.update((record.name.partition("-")[0], *_loaded(root)))
    return found


def _loaded(root: Path) -> Iterator[str]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." not in name and isinstance(file, str) and Path(file).is_relative_to(root):
            yield name


def recorded(place: Path) -> Path | None:
    """Return the ``.dist-info`` of the editable install that has put `place` beside it, if any."""
    return next(
        (each.record for each in _installed().values() if _has(each, place)),
        None,
    )


def _has(each: _Editable, place: Path) -> bool:
    return place.name in each.own and place.parent == each.record.parent


def metadata_of(place: Path) -> list[tuple[str, Path]]:
    """Return what is said of the editable install whose sources lie in `place`, if any do.

    Pairs of the name beside the sources, where `importlib.metadata` looks for it, and the file.
    """
    installed = _installed()
    record = recorded(place)
    above = [root for root in installed if place.is_relative_to(root)]
    if record is None and above:
        record = installed[max(above, key=lambda root: len(root.parts))].record
    if record is None:
        return []
    return [(f"{record.name}/{n}", record / n) for n in _TOLD if (record / n).is_file()]


def is_spread(spec: ModuleSpec) -> bool:
    """Tell whether a package is in no folder of its own: its loader knows where its files are."""
    places = spec.submodule_search_locations
    apart = bool(places) and not any(Path(place).is_dir() for place in places or ())
    return apart and spec.origin is not None and os.path.isfile(spec.origin)


def spread(loader: Any, name: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of a package that only its loader finds, as in meson-python's installs."""
    reader: Any = getattr(loader, "get_resource_reader", lambda name: None)(name)
    if reader is not None:
        yield from _leaves(name, reader.files())


def _leaves(prefix: str, folder: Any) -> Iterator[tuple[str, Path]]:
    for each in folder.iterdir():
        if isinstance(each, Path) and each.is_file():
            yield f"{prefix}/{each.name}", each
        elif each.is_dir() and each.name != "__pycache__":
            yield from _leaves(f"{prefix}/{each.name}", each)


def _installed() -> dict[Path, _Editable]:
    """Return each editable install by its root."""
    folders = (at for at in sys.path if at.endswith(("site-packages", "dist-packages")))
    found: dict[Path, _Editable] = {}
    for folder in folders:
        found = {**_roots_in(Path(folder)), **found}
    return found


def _roots_in(directory: Path) -> Mapping[Path, _Editable]:
    try:
        return _known.get(directory, lambda: (_read_roots(directory), [str(directory)]))
    except OSError:
        return {}


def _read_roots(directory: Path) -> Mapping[Path, _Editable]:
    records = [entry for entry in directory.iterdir() if entry.suffix == ".dist-info"]
    roots = ((_root(record / "direct_url.json"), record) for record in records)
    return {root: _Editable(record, _own(record)) for root, record in roots if root is not None}


def _own(record: Path) -> frozenset[str]:
    try:
        lines = (record / "RECORD").read_text("utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(re.split("[/,]", line, maxsplit=1)[0] for line in lines)


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
