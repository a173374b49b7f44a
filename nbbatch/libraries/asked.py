"""What is asked for by name: requirements, and files of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from nbbatch.errors import LibraryError
from nbbatch.libraries.locks import pylock, uvlock
from nbbatch.libraries.projects import dependencies
from nbbatch.libraries.requirements import Said, decoded, installed_here, is_elsewhere, masked, read
from nbbatch.worker.run.fingerprint import normalized

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Asked", "read_file", "requested", "together"]


@dataclass(frozen=True)
class Asked:
    """Requirements, and who asks for them.

    Attributes
    ----------
    requirements
        As `pip` takes them, without options.
    reasons
        Name, normalised, to who asks for it, in words.
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
    reasons: Mapping[str, str] = field(default_factory=dict)
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
        said = _said(path, lenient=lenient)
        elsewhere = [each for each in said.requirements if is_elsewhere(each)]
        found = [each for each in said.requirements if each not in elsewhere]
        asked = _asked(found, path.name, said.places)
    except (OSError, ValueError, AttributeError, TypeError, LookupError) as error:
        kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
        raise LibraryError(
            f"the requirements in {path} can't be read",
            f"{kind}{masked(str(error))}",
            "--requirements of a requirements.txt, pyproject.toml, pylock.toml or uv.lock",
        ) from None
    if not lenient:
        _check_installed(elsewhere, str(path))
    limits, hashes = tuple(said.limits), _hashes(found, said)
    return replace(asked, file=path.name, limits=limits, indexes=tuple(said.indexes), hashes=hashes)


def _said(path: Path, *, lenient: bool) -> Said:
    if path.suffix != ".toml" and path.name != "uv.lock":
        return read(path)
    told = tomllib.loads(decoded(path.read_bytes()))
    if path.name == "uv.lock":
        return uvlock(told)
    if path.name.startswith("pylock"):
        return pylock(told)
    return Said(dependencies(told, path, lenient=lenient))


def _hashes(requirements: Sequence[str], said: Said) -> dict[str, tuple[str, ...]]:
    """Return name to hashes, of all its versions: another one counts on another platform."""
    found: dict[str, tuple[str, ...]] = {}
    for text in requirements:
        name = _name(text)
        found[name] = (*found.get(name, ()), *said.hashes.get(text, ()))
    return {name: each for name, each in found.items() if each}


def _check_installed(elsewhere: Sequence[str], where: str) -> None:
    """Refuse what no index has and the kernel has not either; what it has goes along anyway."""
    for text in elsewhere:
        if not installed_here(text):
            shown = masked(text)
            raise LibraryError(
                f"{shown} can't be given to the job: {where} asks for it",
                "it is in no index, and it is not installed here",
                f"%pip install '{shown}': what is installed goes along where code imports it",
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


def together(one: Asked, other: Asked) -> Asked:
    """Return what two ask for, at once: what fits the one may not fit the other.

    Where both ask for the same, the other one counts.
    """
    kept = [text for text in one.requirements if _name(text) not in other.reasons]
    return replace(
        one,
        requirements=(*kept, *other.requirements),
        reasons={**one.reasons, **other.reasons},
        limits=(*one.limits, *other.limits),
        indexes=(*one.indexes, *other.indexes),
        hashes={**{n: h for n, h in one.hashes.items() if n not in other.reasons}, **other.hashes},
    )


def _asked(requirements: Sequence[str], by: str, places: Mapping[str, str] | None = None) -> Asked:
    reasons = {}
    for text in requirements:
        try:
            reasons[_name(text)] = f"{by} asks for it"
        except InvalidRequirement as error:
            place = f"{places[text]}: " if places and text in places else ""
            raise ValueError(f"{place}{text!r}: {error}") from None
    return Asked(tuple(requirements), reasons)


def _name(text: str) -> str:
    return normalized(Requirement(text).name)
