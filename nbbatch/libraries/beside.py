"""What a file beside the notebook says of libraries: a lock, requirements, a project.

The kernel counts: a job runs as its code would run here. So the file says where what the kernel
lacks comes from, and in which version; and where the kernel has another version than the file
allows, the job gets the kernel's, and the person is told.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from nbbatch.backends.base import Target
from nbbatch.errors import LibraryError
from nbbatch.libraries.asked import Asked, read_file
from nbbatch.libraries.installed import Installed
from nbbatch.libraries.needs import environment
from nbbatch.libraries.plan import Plan
from nbbatch.worker.run.fingerprint import normalized

__all__ = ["beside", "differing", "lacking"]

#: What may lie beside a notebook, the most exact first; the first one that is there counts.
_NAMES: Final = ("uv.lock", "pylock.toml", "requirements.txt", "pyproject.toml")


def beside(directory: Path) -> Asked:
    """Return what a file beside the notebook says; nothing where there is none.

    Raises
    ------
    LibraryError
        It can't be read.
    """
    for name in _NAMES:
        path = directory / name
        if path.is_file():
            facts = path.stat()
            # One of requirements may name others, which change on their own.
            read = _read if path.suffix != ".txt" else _read.__wrapped__
            return read(path, facts.st_mtime_ns, facts.st_size)
    return Asked()


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, size: int) -> Asked:
    return read_file(path, lenient=True)


def lacking(wants: Iterable[str], here: Installed, directory: Path, target: Target) -> Asked:
    """Return what a file beside the notebook asks for, of what is imported and not installed.

    Where the name of the module is not that of a library, all that is not installed. What these
    need comes in the file's versions, too.

    Parameters
    ----------
    target
        For whose platform and Python the file's markers count.

    Raises
    ------
    LibraryError
        The file can't be read.
    """
    missing = {top for top in (each.partition(".")[0] for each in wants) if not _found(top)}
    if not missing:
        return Asked()
    there = beside(directory)
    names = {
        name: [str(each) for each in said]
        for name, said in _by_name(there, target).items()
        if name not in here.by_name
    }
    exact = {name: names[name] for name in map(normalized, missing) if name in names}
    chosen = exact if len(exact) == len(missing) else names
    rest = [text for name, texts in names.items() if name not in chosen for text in texts]
    return replace(
        there,
        requirements=tuple(chain.from_iterable(chosen.values())),
        reasons={name: there.reasons[name] for name in chosen},
        limits=(*rest, *there.limits),
    )


def differing(plan: Plan, directory: Path) -> list[str]:
    """Say of what a job is given of the kernel's that the file does not allow it."""
    try:
        there = beside(directory)
    except LibraryError as error:
        return [f"{error.what} ({error.cause}): the job gets what the kernel has"]
    said = _by_name(there, plan.target)
    return [
        f"{item.name} is {item.version} here, and {there.file} says "
        f"{' or '.join(str(each.specifier) for each in said[item.name])}: the job gets the kernel's"
        for item in plan.items
        if item.need is not None and item.version == item.need.version
        if item.name in said
        if not any(_allowed(each, item.version) for each in said[item.name])
    ]


def _by_name(there: Asked, target: Target) -> Mapping[str, list[Requirement]]:
    """Return what counts on a target's platform, for its Python."""
    found: dict[str, list[Requirement]] = {}
    facts = {**environment(target), "extra": ""}
    for requirement in map(Requirement, there.requirements):
        if requirement.marker is None or requirement.marker.evaluate(facts):
            found.setdefault(normalized(requirement.name), []).append(requirement)
    return found


def _allowed(requirement: Requirement, version: str) -> bool:
    return requirement.specifier.contains(version, prereleases=True)


def _found(module: str) -> bool:
    """Tell whether the kernel finds a module."""
    try:
        return module in sys.modules or importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
