"""Whether what is installed here can run where a job's code will run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from nbbatch.backends.base import Target
from nbbatch.libraries.installed import Distribution
from nbbatch.worker.run import fingerprint

__all__ = ["files_fit", "kernel_target", "python_fits", "threads_fit", "told"]

_MANYLINUX: Final = re.compile(r"manylinux_(\d+)_(\d+)_(\w+)")
#: What they were called before: https://peps.python.org/pep-0600/#legacy-manylinux-tags
_LEGACY: Final = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


@cache
def kernel_target() -> Target:
    """Return the kernel's own environment, without what is installed in it."""
    machine, libc = os.uname().machine, fingerprint.libc()
    return Target("", fingerprint.python(), machine, libc, known=True, here=True)


def told(name: str, found: Mapping[str, Any]) -> Target:
    """Return the target that a fingerprint tells of."""
    return Target(
        name, found["python"], found["machine"], found["libc"], found["packages"], known=True
    )


def files_fit(found: Distribution, target: Target) -> bool:
    """Tell whether a distribution's files, as they are installed here, run in `target`."""
    if not found.files or not python_fits(found, target):
        return False
    # Compiled by conda it needs what lies elsewhere in conda's environment.
    return any(_tag_fits(tag, target) for tag in found.tags if _pure(tag) or not found.of_conda)


def python_fits(found: Distribution, target: Target) -> bool:
    """Tell whether a distribution says that it runs on a target's Python."""
    try:
        return SpecifierSet(found.python).contains(f"{target.minor}.99", prereleases=True)
    except InvalidSpecifier:
        return True


def threads_fit(found: Distribution, target: Target) -> bool:
    """Tell whether compiled code is for a Python whose threads run freely, where that is one."""
    free = target.python.endswith("t")
    abis = [tag.split("-")[1] for tag in found.tags if tag.count("-") > 1]
    return not abis or any(abi == "none" or abi.endswith("t") is free for abi in abis)


def _tag_fits(tag: str, target: Target) -> bool:
    """https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/."""
    python, _, rest = tag.partition("-")
    abi, _, platform = rest.partition("-")
    if _pure(tag):
        return abi == "none" and (python.startswith("py3") or python == "py2.py3")
    here = kernel_target()
    same = (here.machine, family(here)) == (target.machine, family(target))
    if sys.platform != "linux" or not same:
        return False
    # `abi3` and `none` run on later Pythons too; that they run here is all that is known here.
    if here.python != target.python:
        return False
    return _libc_fits(platform, here, target)


def _pure(tag: str) -> bool:
    return tag.endswith("-any")


def family(target: Target) -> str:
    """Return the C library without its version."""
    return target.libc.partition(" ")[0]


def _libc_fits(platform: str, here: Target, target: Target) -> bool:
    least = needed_libc(platform) or version(here.libc)
    # What is not known yet is taken to fit: the job looks before it begins.
    return not version(target.libc) or least <= version(target.libc)


def needed_libc(platform: str) -> tuple[int, ...]:
    """Return the oldest glibc that a platform tag promises; nothing where it promises none."""
    match = _MANYLINUX.fullmatch(platform)
    if match is not None:
        return int(match[1]), int(match[2])
    return next((v for name, v in _LEGACY.items() if platform.startswith(f"{name}_")), ())


def version(libc: str) -> tuple[int, ...]:
    """Return the version of a C library; nothing where it is not known."""
    return tuple(map(int, re.findall(r"\d+", libc.partition(" ")[2])))
