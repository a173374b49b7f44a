"""Which instance types with GPUs a region has."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.errors import translated
from nbbatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


def offered(ec2: Any, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return those of these types and families that the region has.

    Parameters
    ----------
    ec2
        boto3's client.
    """
    with translated("the instance types of the region can't be looked up"):
        pages = ec2.get_paginator("describe_instance_type_offerings").paginate()
        types = {item["InstanceType"] for page in pages for item in page["InstanceTypeOfferings"]}
    return known(wanted, types)


def known(wanted: Sequence[str], types: set[str]) -> tuple[str, ...]:
    """Return those of `wanted` that are among `types` or are their families, in their order."""
    there = types | {name.partition(".")[0] for name in types}
    return tuple(name for name in wanted if name in there)


def all_offered(ec2: Any, wanted: Sequence[str], region: str) -> tuple[str, ...]:
    """Return `wanted` where the region has them all.

    Raises
    ------
    UsageError
        One is not there.
    """
    found = offered(ec2, wanted)
    for name in wanted:
        if name not in found:
            near = difflib.get_close_matches(name, ["g4dn", "g5", "g6", "g6e", "p4d", "p5"], 1)
            raise UsageError(
                f"--gpu-types {name} can't be used",
                f"{region} has no instances of that type or family",
                f"--gpu-types {near[0] if near else 'g5'}; "
                "aws ec2 describe-instance-type-offerings lists them",
            )
    return found
