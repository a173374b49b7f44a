"""Which distributions a job needs, in which versions, and why: not the whole environment."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from packaging.markers import default_environment
from packaging.requirements import Requirement

from nbbatch.backends.base import Target
from nbbatch.libraries.installed import Distribution, Installed, installed
from nbbatch.libraries.targets import files_fit, kernel_target
from nbbatch.worker.run.fingerprint import normalized

__all__ = ["Need", "Needs", "editable_needs", "environment", "find_needs"]

#: What the worker brings, and nobody else needs.
_OWN: Final = frozenset({"nbbatch"})
_EXTRA: Final = re.compile(r"""extra == ["']([^"']+)["']""")

#: What libraries look for to show something in a notebook, and do not require; no code names it.
_SHOWN_BY: Final = {"plotly": ("ipython", "nbformat")}
#: What code calls otherwise than extras do, or what they bring.
_MEANS: Final = {
    "abfs": "adlfs",
    "az": "adlfs",
    "background_gradient": "plot",
    "boxplot": "plot",
    "gs": "gcsfs",
    "hdf": "hdf5",
    "hist": "plot",
    "markdown": "output-formatting",
    "s3": "s3fs",
    "style": "output-formatting",
}
#: Extras for those who work on a distribution, not with it, by a word of their names.
_DEVELOPMENT: Final = re.compile(
    r"(?:^|[-_.])(?:all|bench|build|ci$|dev(?!ice)|doc(?!ker)|example|lint|maint|perf$|test|typing)"
)
#: The kernel itself loads them, whatever the code uses.
_KERNELS: Final = frozenset({"ipykernel", "ipython", "ipywidgets", "jupyter", "notebook"})


@dataclass(frozen=True)
class Need:
    """One distribution that a job needs.

    Attributes
    ----------
    distribution
        As it is installed here.
    reason
        Who needs it.
    pickled
        Whether values that travel are of its types.
    direct
        Whether code or values need it themselves, and not another distribution.
    """

    distribution: Distribution
    reason: str
    pickled: bool = False
    direct: bool = False

    @property
    def name(self) -> str:
        """The distribution's name, normalised."""
        return self.distribution.name

    @property
    def version(self) -> str:
        """The version that is installed here."""
        return self.distribution.version


@dataclass(frozen=True)
class Needs:
    """All that a job needs.

    Attributes
    ----------
    here
        What is installed here, by name.
    missing
        What is not, though the container's platform asks for it: requirement to reason.
    editable
        The ``.dist-info`` of what is installed as editable, and required by others.
    """

    here: Mapping[str, Need]
    missing: Mapping[str, str]
    editable: frozenset[Path] = frozenset()


def editable_needs(wants: Mapping[str, str]) -> frozenset[Path]:
    """Return the ``.dist-info`` of each editable install that the libraries behind modules need."""
    return find_needs(wants, (), installed(), kernel_target()).editable


def find_needs(
    wants: Mapping[str, str],
    types: Container[str],
    there: Installed,
    target: Target,
    words: Collection[str] = (),
) -> Needs:
    """Return the distributions behind some modules, and those that these require.

    Parameters
    ----------
    wants
        Modules, dotted or not, each with who wants it.
    types
        The top-level modules that pickled values are of.
    target
        For whose platform and Python requirements count.
    words
        Those of the code: what libraries have for them by way of extras is needed, too.
    """
    return _Search(there, target, words).run(wants, types)


class _Search:
    def __init__(self, there: Installed, target: Target, words: Collection[str]) -> None:
        self._there = there
        self._target = target
        self._environment = environment(target)
        #: What extras may be called, to what the code says.
        self._words = {normalized(each): each for each in words}
        self._words.update({_MEANS[each]: each for each in words if each in _MEANS})
        self._here: dict[str, Need] = {}
        self._missing: dict[str, str] = {}
        self._editable: set[Path] = set()
        self._waiting: deque[tuple[Distribution, frozenset[str]]] = deque()
        self._done: set[tuple[str, str]] = set()

    def run(self, wants: Mapping[str, str], types: Container[str]) -> Needs:
        ordered = sorted(wants)
        for module, following in zip(ordered, [*ordered[1:], ""], strict=True):
            part = following.startswith(f"{module}.")
            for found in self._there.bringing(module, part=part):
                if _travels(found):
                    pickled = module.partition(".")[0] in types
                    self._begin(found, wants[module], pickled=pickled)
        while self._waiting:
            self._follow(*self._waiting.popleft())
        here = dict(sorted(self._here.items()))
        return Needs(here, self._missing, frozenset(self._editable))

    def _begin(self, found: Distribution, reason: str, *, pickled: bool) -> None:
        need = self._here.get(found.name, Need(found, reason, direct=True))
        self._here[found.name] = replace(need, pickled=need.pickled or pickled)
        self._waiting.append((found, frozenset()))

    def _take(self, found: Distribution, extras: frozenset[str], reason: str) -> None:
        self._here.setdefault(found.name, Need(found, reason))
        self._waiting.append((found, extras))

    def _follow(self, found: Distribution, extras: frozenset[str]) -> None:
        """Take what a distribution requires, alone and with each extra, once."""
        for extra in ("", *sorted(extras)):
            if (found.name, extra) in self._done:
                continue
            self._done.add((found.name, extra))
            for requirement, only_by in self._required(found, extra):
                self._require(found, requirement, only_by)
        for name in _SHOWN_BY.get(found.name, ()):
            other = self._there.by_name.get(name)
            if other is not None and _travels(other):
                self._take(other, frozenset(), f"{found.name} shows something by it")

    def _required(self, found: Distribution, extra: str) -> Iterator[tuple[Requirement, list[str]]]:
        """Yield what it requires, each with the extras that alone do so, if it is optional."""
        for requirement in found.requirements:
            marker = requirement.marker
            if marker is None or marker.evaluate({**self._environment, "extra": extra}):
                yield requirement, []
            elif not extra:
                extras = [
                    each
                    for each in _EXTRA.findall(str(marker))
                    if not _DEVELOPMENT.search(each)
                    if marker.evaluate({**self._environment, "extra": each})
                ]
                if extras:
                    yield requirement, extras

    def _require(self, by: Distribution, requirement: Requirement, only_by: list[str]) -> None:
        name = normalized(requirement.name)
        if name in _OWN:
            return
        found = self._there.by_name.get(name)
        if only_by:
            if found is not None and _travels(found) and name not in _KERNELS:
                self._offer(by, found, only_by)
        elif found is None:
            plain = f"{requirement.name}{requirement.specifier}"
            self._missing.setdefault(plain, f"{by.name} needs it there")
        elif _travels(found):
            self._take(found, frozenset(requirement.extras), f"{by.name} needs it")
        elif found.editable:
            self._editable.add(found.record)

    def _offer(self, by: Distribution, found: Distribution, extras: list[str]) -> None:
        """Take what is optional where it is likely that the code uses it there."""
        word = next(filter(None, map(self._words.get, _called(found.name, extras))), "")
        if _in_use(found):
            self._take(found, frozenset(), f"{by.name} uses it, and the kernel has loaded it")
        # A guess must not be what a job is refused for.
        elif word and files_fit(found, self._target):
            self._take(found, frozenset(), f"{by.name} uses it for what the code calls {word}")


def _called(name: str, extras: list[str]) -> Iterator[str]:
    """Yield the words that ask for what an extra brings: ``sql`` means ``sql-other``, too."""
    yield name
    for extra in map(normalized, extras):
        yield from (extra, extra.partition("-")[0])


def _travels(found: Distribution) -> bool:
    """Tell whether it is one for this room: editable ones travel as the notebook's modules."""
    installed = found.folder.name in ("site-packages", "dist-packages")
    return installed and found.name not in _OWN and not found.editable


def _in_use(found: Distribution) -> bool:
    return any(module in sys.modules for module in found.modules)


def environment(target: Target) -> dict[str, str]:
    """Return what markers are compared with: https://peps.python.org/pep-0508/."""
    found = {name: str(value) for name, value in default_environment().items()}
    if target.here:
        return found
    found.update(
        {
            "python_version": target.minor,
            "python_full_version": f"{target.minor}.99",
            "implementation_version": f"{target.minor}.99",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "platform_machine": target.machine,
            "os_name": "posix",
        }
    )
    return found
