"""What is asked for by name: requirements, and files of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement

from nbbatch.errors import LibraryError
from nbbatch.worker.run.fingerprint import normalized

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Asked", "read_file", "requested"]

#: A file of requirements may name others.
_INCLUDED: Final = re.compile(r"(?:-r|--requirement)[ =]\s*(.+)")


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
    """

    requirements: tuple[str, ...] = ()
    reason: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    limits: tuple[str, ...] = ()


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
        text = path.read_text("utf-8")
        if path.name == "uv.lock":
            found = list(_locked(tomllib.loads(text).get("package", ())))
        elif path.name.startswith("pylock") and path.suffix == ".toml":
            found = list(_locked(tomllib.loads(text).get("packages", ())))
        elif path.suffix == ".toml":
            found = list(tomllib.loads(text).get("project", {}).get("dependencies", ()))
        else:
            found = list(_listed(path, text))
        if lenient:
            found = [each for each in found if _is_requirement(each)]
        return replace(_asked(found, path.name), file=path.name)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise LibraryError(
            f"the requirements in {path} can't be read",
            f"{type(error).__name__}: {error}",
            "--requirements of a requirements.txt, pyproject.toml, pylock.toml or uv.lock",
        ) from None


def requested(requirements: Sequence[str]) -> Asked:
    """Return what the option `pypi` asks for.

    Raises
    ------
    LibraryError
        One is no requirement.
    """
    try:
        return _asked(requirements, "--pypi")
    except ValueError as error:
        raise LibraryError(
            "pypi can't be used", str(error), 'a requirement as pip takes it: --pypi "pandas>=2"'
        ) from None


def _is_requirement(text: str) -> bool:
    """Tell a requirement, even one with a slip, from an address, a folder or a file."""
    plain = text.partition(";")[0].partition("@")[0].strip()
    return "/" not in plain and not plain.startswith(".") and not plain.endswith((".whl", ".gz"))


def _asked(requirements: Sequence[str], reason: str) -> Asked:
    names = {}
    for text in requirements:
        try:
            names[normalized(Requirement(text).name)] = text
        except InvalidRequirement as error:
            raise ValueError(f"{text!r}: {error}") from None
    return Asked(tuple(requirements), f"{reason} asks for it", names)


def _locked(packages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what a lock pins; projects of the user's own are no libraries."""
    for package in packages:
        source = package.get("source", {})
        own = {"editable", "virtual", "directory"} & {*source, *package}
        if own or "version" not in package:
            continue
        marker = package.get("marker")
        try:
            text = f" ; {Marker(marker)}" if marker else ""
        except InvalidMarker:
            text = ""
        yield f"{package['name']}=={package['version']}{text}"


def _listed(path: Path, text: str) -> Iterator[str]:
    """Yield the requirements of a file as pip reads it; its options are uv's configuration's."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = re.sub(r"(^|\s)#.*$", "", line).strip()
        included = _INCLUDED.match(plain)
        if included is not None:
            other = path.parent / included[1].strip()
            yield from _listed(other, other.read_text("utf-8"))
        elif plain and not plain.startswith("-"):
            yield re.sub(r"\s--hash[= ]\S+", "", plain).strip()
