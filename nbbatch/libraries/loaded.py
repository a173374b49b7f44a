"""Libraries that the kernel still runs as they were before others were installed in their place."""

from __future__ import annotations

import math
import sys

from packaging.version import InvalidVersion, Version

from nbbatch.libraries.installed import Distribution
from nbbatch.libraries.plan import Plan

__all__ = ["outdated"]


def outdated(plan: Plan) -> list[str]:
    """Say of what a job is given of the kernel's where the kernel itself has another loaded."""
    began = _began()
    return [
        f"{item.name} {item.version} goes to the job, and the kernel still has {loaded} loaded: "
        "restart it to have the same in both"
        for item in plan.items
        if item.need is not None and item.version == item.need.version
        if (loaded := _loaded(item.need.distribution, began))
    ]


def _began() -> float:
    """Return when this process began; never, where nothing is loaded that knows it."""
    # A Jupyter kernel has it, for its own use.
    psutil = sys.modules.get("psutil")
    return math.inf if psutil is None else float(psutil.Process().create_time())


def _loaded(found: Distribution, began: float) -> str:
    """Return the version that is loaded, if another was installed since; else nothing."""
    try:
        if found.record.stat().st_ctime <= began:
            return ""
    except OSError:
        return ""
    for name in found.modules:
        # Not by an attribute: some modules warn of it, or load more.
        said = vars(sys.modules[name]).get("__version__") if name in sys.modules else None
        if isinstance(said, str) and _differ(said, found.version):
            return said
    return ""


def _differ(said: str, version: str) -> bool:
    """Tell whether these are two versions; what a module says may be the shorter one."""
    try:
        one, other = (Version(Version(each).public) for each in (said, version))
    except InvalidVersion:
        return False
    count = len(one.release)
    return one != other and (one.release, one.pre) != (other.release[:count], other.pre)
