"""What the names of instance families and types tell: pure functions of plain values.

https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What Batch chooses from by itself, then and now.
#: https://docs.aws.amazon.com/batch/latest/userguide/instance-type-compute-table.html
_X86 = ("m6i", "c6i", "r6i", "c7i")
_BUNDLES = {
    "optimal": ("m4", "c4", "r4", *_X86),
    "default_x86_64": _X86,
    "default_arm64": ("m6g", "c6g", "r6g", "c7g"),
}
_WITH_GPU = re.compile(r"(g|gr|p)[0-9]")


def named(environment: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the families (``c5``) and types (``c5.large``) that an environment may start."""
    resources = environment.get("computeResources") or {}
    found = [_BUNDLES.get(name, (name,)) for name in resources.get("instanceTypes") or ()]
    return tuple(sorted({name for names in found for name in names}))


def have_gpus(names: Iterable[str]) -> bool:
    """Tell whether any of these types has a GPU."""
    return any(_WITH_GPU.match(name) for name in names)
