"""What is asked for by name: requirements, and files of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement

from nbbatch.errors import LibraryError
from nbbatch.libraries.requirements import Said, installed_here, is_elsewhere, read
from nbbatch.worker.run.fingerprint import normalized

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Asked", "read_file", "requested"]

#: What a lock says of a package that comes from no index.
_ELSEWHERE: Final = {
    *("editable", "virtual", "directory", "git", "url", "path"),  # of uv
    *("vcs", "archive"),  # of https://packaging.python.org/en/latest/specifications/pylock-toml/
}


@dataclass(frozen=True)
class Asked:
    """Requirements, and who asks for them.

    Attributes
    ----------
    requirements
        As `pip` takes them, without options.
    reason
        In words.
    names
        Name, normalised, to requirement.
    file
        The name of the file that says it; empty where none does.
    limits
        Requirements that count for what they need, should it be of these names.
    indexes
        Where packages come from besides, as options of a file of requirements.
    hashes
        Name to what its archives have to be, as ``sha256:...``; any of them.
    """

    requirements: tuple[str, ...] = ()
    reason: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    limits: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_file(path: Path, *, lenient: bool = False) -> Asked:
    """Read a file of requirements, a project's, or a lock, by its name.

    Parameters
    ----------
    lenient
        Leave out what names no library: addresses and folders, as `pip` takes them.

    Raises
    ------
    LibraryError
        It is not there, or can't be read.
    """
    try:
        said = _said(path)
        elsewhere = [each for each in said.requirements if is_elsewhere(each)]
        found = [each for each in said.requirements if each not in elsewhere]
        asked = _asked(found, path.name)
        hashes = {
            name: said.hashes[text] for name, text in asked.names.items() if text in said.hashes
        }
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise LibraryError(
            f"the requirements in {path} can't be read",
            f"{type(error).__name__}: {error}",
            "--requirements of a requirements.txt, pyproject.toml, pylock.toml or uv.lock",
        ) from None
    if not lenient:
        _check_installed(elsewhere, str(path))
    limits = tuple(said.limits)
    return replace(asked, file=path.name, limits=limits, indexes=tuple(said.indexes), hashes=hashes)


def _said(path: Path) -> Said:
    if path.suffix != ".toml" and path.name != "uv.lock":
        return read(path)
    told = tomllib.loads(path.read_text("utf-8"))
    if path.name == "uv.lock":
        return _locked(told.get("package", ()))
    if path.name.startswith("pylock"):
        return _locked(told.get("packages", ()))
    return Said(list(told.get("project", {}).get("dependencies", ())))


def _check_installed(elsewhere: Sequence[str], where: str) -> None:
    """Refuse what no index has and the kernel has not either; what it has goes along anyway."""
    for text in elsewhere:
        if not installed_here(text):
            raise LibraryError(
                f"{text} can't be given to the job: {where} asks for it",
                "it is in no index, and it is not installed here",
                f"%pip install '{text}': what is installed goes along where code imports it",
            )


def requested(requirements: Sequence[str]) -> Asked:
    """Return what the option `pypi` asks for.

    Raises
    ------
    LibraryError
        One is no requirement.
    """
    elsewhere = [each for each in requirements if is_elsewhere(each)]
    _check_installed(elsewhere, "--pypi")
    try:
        return _asked([each for each in requirements if each not in elsewhere], "--pypi")
    except ValueError as error:
        raise LibraryError(
            "pypi can't be used", str(error), 'a requirement as pip takes it: --pypi "pandas>=2"'
        ) from None


def _asked(requirements: Sequence[str], reason: str) -> Asked:
    names = {}
    for text in requirements:
        try:
            names[normalized(Requirement(text).name)] = text
        except InvalidRequirement as error:
            raise ValueError(f"{text!r}: {error}") from None
    return Asked(tuple(requirements), f"{reason} asks for it", names)


def _locked(packages: Sequence[Mapping[str, Any]]) -> Said:
    """Return what a lock pins; what comes from elsewhere than an index is in none."""
    said = Said()
    for package in packages:
        if _ELSEWHERE & {*package.get("source", {}), *package} or "version" not in package:
            continue
        marker = package.get("marker")
        try:
            text = f" ; {Marker(marker)}" if marker else ""
        except InvalidMarker:
            text = ""
        text = f"{package['name']}=={package['version']}{text}"
        said.requirements.append(text)
        said.hashes[text] = tuple(_hashes(package))
    return said


def _hashes(package: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the wheels of a package in a lock are."""
    for wheel in package.get("wheels", ()):
        if "hash" in wheel:
            yield wheel["hash"]
        yield from (f"{kind}:{value}" for kind, value in wheel.get("hashes", {}).items())
