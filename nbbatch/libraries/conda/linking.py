"""From an unpacked package to the files of its layer: where conda would put them, in any prefix.

What names the place where it was built does so in the layer too, and says it in ``conda-meta``,
as conda itself keeps it: the job knows where its prefix is.
Scripts that a package would run after its installation are not run, as by default with `rattler`
and pixi: they are for the machine on which it is installed. That there is one is said.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from nbbatch.libraries.building import File, program
from nbbatch.libraries.conda.solving import Package
from nbbatch.libraries.prefixes import content
from nbbatch.worker.run.fingerprint import packages

__all__ = ["Linked", "link"]

#: Where a package of plain Python has what goes to other places, and where that is.
_SITE, _SCRIPTS, _BIN = "site-packages", "python-scripts", "bin"
_INFO: Final = "info"


class Linked(NamedTuple):
    """A package as it will be in a prefix.

    Attributes
    ----------
    files
        Name, mode and bytes of each.
    brings
        The distributions in it: name to version.
    script
        Whether conda would run one of its scripts after the installation.
    """

    files: list[File]
    brings: Mapping[str, str]
    script: bool


def link(package: Package, folder: Path, site: str) -> Linked:
    """Return the files of a package that was unpacked.

    Parameters
    ----------
    site
        Where the environment's Python looks for libraries, below the prefix.

    Raises
    ------
    LibraryError
        One is a link to a place outside.
    """
    places, entries = [], []
    for entry in _paths(folder):
        name = str(entry.relative_path)
        place = _place(name, site) if package.python else name
        places.append((place, folder / name))
        entries.append(_entry(place, entry))
    there = ((place, path) for place, path in places if path.is_symlink() or path.exists())
    files = [(place, *content(path)) for place, path in there]
    files += _programs(folder) if package.python else []
    meta = {**_record(package, [name for name, _, _ in files]), "paths_data": {"paths": entries}}
    text = json.dumps(meta, indent=1, sort_keys=True).encode()
    name = f"conda-meta/{package.name}-{package.version}-{package.build}.json"
    home = folder / (_SITE if package.python else site)
    script = f"bin/.{package.name}-post-link.sh" in meta["files"]
    return Linked([*files, (name, 0o644, memoryview(text))], packages([str(home)]), script)


def _paths(folder: Path) -> Sequence[Any]:
    from rattler import PathsJson

    found = PathsJson.from_package_directory_with_deprecated_fallback(folder)
    return [entry for entry in found.paths if not entry.path_type.directory]


def _place(name: str, site: str) -> str:
    """Return where a file of plain Python goes."""
    first, _, rest = name.partition("/")
    if rest and first in (_SITE, _SCRIPTS):
        return posixpath.join(site if first == _SITE else _BIN, rest)
    return name


def _entry(place: str, entry: Any) -> dict[str, Any]:
    """Return what conda keeps of a file, as far as the job asks for it."""
    kind = "softlink" if entry.path_type.softlink else "hardlink"
    found: dict[str, Any] = {"_path": place, "path_type": kind}
    named = entry.prefix_placeholder
    if named is not None:
        mode = "binary" if named.file_mode.binary else "text"
        found.update(prefix_placeholder=named.placeholder, file_mode=mode)
    return found


def _programs(folder: Path) -> Iterator[File]:
    """Yield the programs that a package of plain Python names, with their text."""
    try:
        told = json.loads((folder / _INFO / "link.json").read_text("utf-8"))
    except OSError:
        return
    for line in told.get("noarch", {}).get("entry_points", ()):
        name, equals, value = line.partition("=")
        if equals:
            yield from program(name.strip(), value.strip())


def _record(package: Package, files: Sequence[str]) -> dict[str, Any]:
    facts = package.facts()
    kept = ("name", "version", "build", "build_number", "subdir", "channel", "url", "sha256")
    return {
        **{name: facts[name] for name in kept},
        "fn": package.file,
        "depends": list(package.depends),
        "files": list(files),
    }
