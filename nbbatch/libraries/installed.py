"""What is installed in the kernel's environment: which distribution brings which module."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from nbbatch.foldercache import FolderCache
from nbbatch.worker.run.fingerprint import normalized

__all__ = ["Distribution", "Installed", "installed"]

_RECORDS = (".dist-info", ".egg-info")
#: What a requirement begins with.
_NAME = re.compile(r"[\w.-]*")


@dataclass(frozen=True)
class Distribution:
    """One installed distribution.

    Attributes
    ----------
    name, version
        The name normalised.
    folder
        The installation directory.
    record
        Its ``.dist-info`` or ``.egg-info`` in there.
    """

    name: str
    version: str
    folder: Path
    record: Path

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Names of its files relative to the folder; none where the installer kept no list."""
        try:
            text = (self.record / "RECORD").read_text("utf-8")
        except OSError:
            return ()
        return tuple(row[0] for row in csv.reader(text.splitlines()) if row)

    @cached_property
    def modules(self) -> frozenset[str]:
        """The names under which its modules are imported, top level."""
        if not self.files:
            return frozenset(self._read("top_level.txt").split())
        return frozenset(filter(None, map(_module, self.files)))

    @cached_property
    def requires(self) -> tuple[str, ...]:
        """Its requirements as it states them."""
        head = HeaderParser().parsestr(self._read("METADATA") or self._read("PKG-INFO"))
        return tuple(str(value) for value in head.get_all("Requires-Dist") or ())

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """The same, but for those of a time before there was a grammar."""
        return tuple(_parsed(self.requires))

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The names of all that it requires anywhere, but for its extras."""
        plain = (text for text in self.requires if "extra" not in text.partition(";")[2])
        return tuple(sorted({normalized(_NAME.match(text)[0]) for text in plain}))  # type: ignore[index]

    @cached_property
    def python(self) -> str:
        """Which Pythons it says that it runs on, as ``>=3.10``; empty for any."""
        head = HeaderParser().parsestr(self._read("METADATA"))
        return str(head.get("Requires-Python") or "")

    @cached_property
    def tags(self) -> frozenset[str]:
        """For which Pythons and platforms its wheel was built, as ``py3-none-any``."""
        head = HeaderParser().parsestr(self._read("WHEEL"))
        return frozenset(str(value).strip() for value in head.get_all("Tag") or ())

    @cached_property
    def of_conda(self) -> bool:
        """Whether it is a package of conda's: what is compiled may link to any other of them."""
        return self._read("INSTALLER").strip() == "conda"

    @cached_property
    def origin(self) -> Mapping[str, Any]:
        """Where it came from, if not from an index: the content of ``direct_url.json``."""
        if self.of_conda:
            return {}  # names a folder of the machine that has built the package
        try:
            found = json.loads(self._read("direct_url.json"))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def editable(self) -> bool:
        """Whether its files lie elsewhere, and travel as the notebook's own modules do."""
        return bool(self.origin.get("dir_info", {}).get("editable"))

    def _read(self, name: str) -> str:
        place = self.record if self.record.is_file() and name == "PKG-INFO" else self.record / name
        try:
            return place.read_text("utf-8", "replace")
        except OSError:
            return ""


def _parsed(texts: Iterable[str]) -> Iterator[Requirement]:
    for text in texts:
        with contextlib.suppress(InvalidRequirement):
            yield Requirement(text)


def _module(name: str) -> str:
    """Return the module that a file belongs to; empty where it is none of a module's."""
    first, slash, _ = name.partition("/")
    if slash:
        return "" if first in ("..", "__pycache__") or first.endswith(_RECORDS) else first
    plain = first.partition(".")[0]
    return plain if first.endswith((".py", ".so", ".pyd")) else ""


class Installed:
    """The distributions in some directories; the first of a name counts, as for imports."""

    def __init__(self, folders: list[Path]) -> None:
        self.by_name: dict[str, Distribution] = {}
        for folder in folders:
            for found in _in_folder(folder):
                self.by_name.setdefault(found.name, found)

    @cached_property
    def _by_module(self) -> dict[str, list[Distribution]]:
        found: dict[str, list[Distribution]] = {}
        for distribution in self.by_name.values():
            for module in distribution.modules:
                found.setdefault(module, []).append(distribution)
        return found

    def bringing(self, module: str, *, part: bool = False) -> list[Distribution]:
        """Return the distributions that bring a module, given dotted or not.

        Of a package that several share (a namespace), those that have the module itself. Where
        these are several still, those that bring what is loaded of it, or all where nothing is.

        Parameters
        ----------
        part
            Whether something below the module is asked for too: then not all of it is meant.
        """
        found = self._having(module)
        if len(found) < 2:
            return found
        used = [each for each in found if any(map(_loaded, each.files))]
        return used or ([] if part else found)

    def _having(self, module: str) -> list[Distribution]:
        found = self._by_module.get(module.partition(".")[0], [])
        while len(found) > 1 and "." in module:
            place = module.replace(".", "/")
            starts = (f"{place}.", f"{place}/")
            having = [e for e in found if any(name.startswith(starts) for name in e.files)]
            if having:
                return having
            # It may be a name in a module.
            module = module.rpartition(".")[0]
        return found


def _loaded(name: str) -> bool:
    plain = name.removesuffix(".py").removesuffix("/__init__")
    return name.endswith(".py") and plain.replace("/", ".") in sys.modules


def _in_folder(folder: Path) -> Iterator[Distribution]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for entry in names:
        if entry.endswith(_RECORDS):
            name, _, rest = entry.rpartition(".")[0].partition("-")
            yield Distribution(normalized(name), rest.partition("-")[0], folder, folder / entry)


_known: FolderCache[Installed] = FolderCache()


def installed() -> Installed:
    """Return what this interpreter has, read again only where something was installed."""
    places = [place for place in dict.fromkeys(sys.path) if os.path.isdir(place)]
    return _known.get(tuple(places), lambda: (Installed(list(map(Path, places))), places))
