"""What becomes of each distribution that a job needs: sent, there already, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from nbbatch.backends.base import Target
from nbbatch.errors import LibraryError
from nbbatch.libraries.installed import Distribution
from nbbatch.libraries.needs import Need, Needs
from nbbatch.libraries.targets import files_fit, kernel_target, python_fits

__all__ = [
    "Item",
    "Plan",
    "Way",
    "check_obtainable",
    "make_plan",
    "misfits",
    "obtainable",
    "with_pins",
]


class Way(str, Enum):
    """How a distribution comes to be in the job."""

    THERE = "there"  # the image has it, in this version
    FILES = "files"  # as it is installed here
    INDEX = "index"  # from an index of packages, for the image's platform

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Item:
    """One distribution.

    Attributes
    ----------
    version
        The one that the job is to have; empty where the index is to choose.
    reason
        Who needs it.
    has
        The version that the image has; empty for none, or where it is not known.
    need
        What is installed here, if it is.
    hashes
        What its archive has to be, one of them; empty where nobody says it.
    here
        The version that the code uses here, where nobody asked for another by name.
    """

    name: str
    version: str
    reason: str
    way: Way
    has: str = ""
    need: Need | None = None
    hashes: tuple[str, ...] = ()
    here: str = ""

    @property
    def pickled(self) -> bool:
        """Whether values that travel are of its types."""
        return self.need is not None and self.need.pickled

    @property
    def unfit(self) -> bool:
        """Whether a job that is sent nothing would fail for what the image has, or has not.

        What another distribution needs is left to the image: its own may need something else.
        """
        if not self.has:
            return self.need is not None and self.need.direct
        return self.pickled and _major(self.has) != _major(self.version)


@dataclass(frozen=True)
class Plan:
    """All of them, for one place.

    Attributes
    ----------
    indexes
        Where they come from besides; see `nbbatch.libraries.asked.Asked`.
    """

    target: Target
    items: tuple[Item, ...] = field(default=())
    indexes: tuple[str, ...] = ()

    def going(self, way: Way) -> tuple[Item, ...]:
        """Return those that come to the job in one way."""
        return tuple(item for item in self.items if item.way is way)

    @property
    def expects(self) -> dict[str, str]:
        """What the image is taken to have, by name."""
        return {item.name: item.version for item in self.going(Way.THERE)}


def misfits(plan: Plan) -> tuple[list[str], list[str]]:
    """Say what would not work, and what differs, where nothing is sent."""
    refused, differing = [], []
    for item in plan.items:
        there = f"{item.name} is {item.has} there and {item.version} here"
        if item.unfit and item.has:
            refused.append(f"{there}, and values made by it travel")
        elif item.unfit:
            refused.append(f"{item.name} {item.version} is not there: {item.reason}")
        elif item.has not in ("", item.version):
            differing.append(there)
    return refused, differing


def _major(version: str) -> str:
    return version.partition(".")[0]


def obtainable(item: Item, target: Target) -> bool:
    """Tell whether a distribution can be had, as far as is known without asking an index."""
    return not (_from_elsewhere(item) or _refuses(item, target))


def _from_elsewhere(item: Item) -> bool:
    """Tell whether no index has it: one may have something else under its name, by somebody."""
    return item.way is Way.INDEX and item.need is not None and bool(item.need.distribution.origin)


def _refuses(item: Item, target: Target) -> bool:
    """Tell whether the version that is installed here is not for the Python there."""
    if item.way is not Way.INDEX or item.need is None:
        return False
    return not python_fits(item.need.distribution, target)


def check_obtainable(plan: Plan) -> None:
    """Refuse what can't be had, whatever an index has.

    Raises
    ------
    LibraryError
        There is such a thing.
    """
    for item in plan.items:
        if item.need is not None and not obtainable(item, plan.target):
            tell = _no_index if _from_elsewhere(item) else _another_python
            what = f"{item.name} {item.version} can't be given to the job: {item.reason}"
            raise LibraryError(what, *tell(item.name, item.need.distribution, plan.target))


def _no_index(name: str, found: Distribution, target: Target) -> tuple[str, str]:
    vcs = found.origin.get("vcs_info", {}).get("vcs")
    there = f"Python {target.python} on {target.machine}, {target.libc}"
    cause = (
        f"it was installed here from {vcs or 'a file or an address'}, not from an index, "
        f"and what is installed does not run on {target.name} ({there})"
    )
    hint = (
        "an image with the kernel's Python and platform (--image), one that has it "
        f"(--env image), or one from an index: --pypi {name}"
    )
    return cause, hint


def _another_python(name: str, found: Distribution, target: Target) -> tuple[str, str]:
    cause = f"it runs on Python {found.python}, and {target.name} has Python {target.python}"
    here = kernel_target().python
    # An image has no path: the target is an interpreter of this machine.
    local = target.name.startswith("/")
    other = f"an --executable of Python {here}" if local else f"--python {here}, which goes along"
    return cause, f"{other}; or another version of it: --pypi {name}"


def make_plan(needs: Needs, target: Target) -> Plan:
    """Say for each need where the job gets it from."""
    items = [_item(need, target) for need in needs.here.values()]
    for requirement, reason in needs.missing.items():
        items.append(Item(requirement, "", reason, Way.INDEX))
    return Plan(target, tuple(items))


def with_pins(plan: Plan, pins: Mapping[str, str], reasons: Mapping[str, str]) -> Plan:
    """Return a plan in which distributions have the versions that were resolved.

    Parameters
    ----------
    pins
        Name to version of all that was asked for, and of what that needs.
    reasons
        Name to who asked for it.

    Raises
    ------
    LibraryError
        Values that travel are of another major version.
    """
    items = {item.name: item for item in plan.items}
    for name, version in pins.items():
        old = items.get(name)
        if old is not None and old.version == version:
            continue
        if old is not None and old.pickled and _major(old.version) != _major(version):
            raise LibraryError(
                f"{name} {version} can't be given to the job",
                f"values that travel are made by {name} {old.version}, which the kernel has",
                f"ask for {name}=={_major(old.version)}.*, or make the values in the job",
            )
        has = plan.target.packages.get(name, "")
        reason = reasons.get(name, "what is asked for needs it")
        way = Way.THERE if has == version else Way.INDEX
        here = old.here or (old.version if old.need else "") if old is not None else ""
        items[name] = Item(name, version, reason, way, has, here="" if name in reasons else here)
    return replace(plan, items=tuple(items[name] for name in sorted(items)))


def _item(need: Need, target: Target) -> Item:
    has = target.packages.get(need.name, "")
    if has == need.version:
        way = Way.THERE
    else:
        way = Way.FILES if files_fit(need.distribution, target) else Way.INDEX
    return Item(need.name, need.version, need.reason, way, has, need)
