"""What a lock pins, and for which platforms and Pythons: it has what all of them need, at once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from packaging.markers import InvalidMarker, Marker

from nbbatch.libraries.requirements import Said

__all__ = ["pylock", "uvlock"]

#: What a lock says of a package that comes from no index.
_ELSEWHERE: Final = {
    *("editable", "virtual", "directory", "git", "url", "path"),  # of uv
    *("vcs", "archive"),  # of https://packaging.python.org/en/latest/specifications/pylock-toml/
}
#: Of these sources uv has the projects that a lock is for.
_PROJECTS: Final = {"editable", "virtual"}
#: What only the markers of a ``pylock.toml`` know, and no requirement.
_CHOSEN: Final = re.compile(r"""["']([^"']*)["']\s+(not\s+)?in\s+(extras|dependency_groups)""")
_ALWAYS, _NEVER = "python_version >= '3'", "python_version < '3'"

Package = Mapping[str, Any]
#: Markers of which each has to hold.
All = frozenset[str]


def pylock(lock: Mapping[str, Any]) -> Said:
    """Return what a ``pylock.toml`` pins, of its groups the default ones, and no extras."""
    groups = lock.get("default-groups", ())
    packages = lock.get("packages", ())
    return _said((package, _chosen(package.get("marker", ""), groups)) for package in packages)


def uvlock(lock: Mapping[str, Any]) -> Said:
    """Return what a ``uv.lock`` pins for its projects, with all of their extras and groups."""
    packages = lock.get("package", ())
    return _said(zip(packages, map(_either, _Paths(packages).reached()), strict=True))


def _chosen(marker: str, groups: Container[str]) -> str:
    def told(match: re.Match[str]) -> str:
        among = match[3] == "dependency_groups" and match[1] in groups
        return _NEVER if among is bool(match[2]) else _ALWAYS

    return _CHOSEN.sub(told, marker)


def _said(packages: Iterable[tuple[Package, str]]) -> Said:
    """Take what comes from an index; the rest is in none."""
    said = Said()
    for package, marker in packages:
        if _ELSEWHERE & {*package.get("source", {}), *package} or "version" not in package:
            continue
        text = f"{package['name']}=={package['version']}{_condition(marker)}"
        said.requirements.append(text)
        said.hashes[text] = tuple(_hashes(package))
    return said


def _condition(marker: str) -> str:
    try:
        return f" ; {Marker(marker)}" if marker else ""
    except InvalidMarker:
        return ""


def _either(ways: set[All]) -> str:
    """Return the marker of a package to which several ways lead."""
    if All() in ways:
        return ""
    return " or ".join(sorted(" and ".join(f"({each})" for each in sorted(way)) for way in ways))


def _hashes(package: Package) -> Iterator[str]:
    """Yield what the wheels of a package in a lock are."""
    for wheel in package.get("wheels", ()):
        if "hash" in wheel:
            yield wheel["hash"]
        yield from (f"{kind}:{value}" for kind, value in wheel.get("hashes", {}).items())


class _Paths:
    """Who needs what in a ``uv.lock``: the markers stand at the needs, not at the packages."""

    def __init__(self, packages: Sequence[Package]) -> None:
        self._packages = packages
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for index, package in enumerate(packages):
            self._by_name[package["name"]].append(index)

    def reached(self) -> list[set[All]]:
        """Return for each package the markers on the ways to it; of those to none, its own."""
        found: dict[tuple[int, str], set[All]] = defaultdict(set)
        waiting = [((index, ""), self._own(index)) for index in self._begins()]
        while waiting:
            (index, extra), way = waiting.pop()
            ways = found[index, extra]
            if any(each <= way for each in ways):
                continue
            ways -= {each for each in ways if way < each}
            ways.add(way)
            for need in self._needs(index, extra):
                marked = way | {need["marker"]} if "marker" in need else way
                for target in self._meant(need):
                    # An extra comes with what the package itself needs.
                    waiting += [((target, each), marked) for each in ("", *need.get("extra", ()))]
        return [found.get((i, "")) or {self._own(i)} for i in range(len(self._packages))]

    def _begins(self) -> Iterator[int]:
        """Yield the projects, and what nobody needs."""
        needed = set(chain.from_iterable(map(self._meant, self._all_needs())))
        for index, package in enumerate(self._packages):
            if index not in needed or self._project(package):
                yield index

    def _all_needs(self) -> Iterator[Package]:
        for package in self._packages:
            yield from _everything(package)

    def _needs(self, index: int, extra: str) -> Iterator[Package]:
        package = self._packages[index]
        if self._project(package):
            yield from _everything(package)
        elif extra:
            yield from package.get("optional-dependencies", {}).get(extra, ())
        else:
            yield from package.get("dependencies", ())

    def _meant(self, need: Package) -> Iterator[int]:
        for index in self._by_name[need["name"]]:
            if need.get("version") in (None, self._packages[index].get("version")):
                yield index

    def _own(self, index: int) -> All:
        """Return where a package counts that was resolved differently for several places."""
        markers = self._packages[index].get("resolution-markers", ())
        return All([" or ".join(f"({each})" for each in markers)] if markers else [])

    @staticmethod
    def _project(package: Package) -> bool:
        return bool(_PROJECTS & {*package.get("source", {})})


def _everything(package: Package) -> Iterator[Package]:
    """Yield what a package needs, alone, with each extra, and in each group."""
    yield from package.get("dependencies", ())
    for several in ("optional-dependencies", "dev-dependencies"):
        yield from chain.from_iterable(package.get(several, {}).values())
