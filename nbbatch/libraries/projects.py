"""What a ``pyproject.toml`` says that a project needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from nbbatch.worker.run.fingerprint import normalized

__all__ = ["dependencies"]


def dependencies(told: Mapping[str, Any], path: Path, *, lenient: bool) -> list[str]:
    """Return what a project needs; what it has from no index with an address, as pip takes it.

    Parameters
    ----------
    lenient
        Take a project that does not say it for one that needs nothing.

    Raises
    ------
    ValueError
        It does not say it.
    """
    project = told.get("project", {})
    found = project.get("dependencies", [] if lenient else None)
    if found is None and "dependencies" in project.get("dynamic", ()):
        raise ValueError("its dependencies are dynamic: only a build of the project tells them")
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError("it has no list of texts as dependencies of [project]")
    sources = told.get("tool", {}).get("uv", {}).get("sources", {})
    private = {normalized(name) for name, source in sources.items() if _private(source)}
    return [_placed(text, private, path) for text in found]


def _private(source: Any) -> bool:
    """Tell whether a source of uv's is no index: one may have something else under that name."""
    return any("index" not in each for each in (source if isinstance(source, list) else [source]))


def _placed(text: str, private: set[str], path: Path) -> str:
    try:
        name = Requirement(text).name
    except InvalidRequirement:
        return text
    return f"{name} @ {path.absolute().parent.as_uri()}" if normalized(name) in private else text
