"""The flags of `nbbatch setup`, and what they wish for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nbbatch.backends.aws.setup.wish import DEFAULT_NAME, Wish

if TYPE_CHECKING:
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags to a parser."""
    parser.add_argument(
        "--name", default=DEFAULT_NAME, help="of the stack and its queues (%(default)s)"
    )
    parser.add_argument("--region", help="where; the configured one if not given")
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="write to this profile of the configuration file (the one of NBBATCH_PROFILE)",
    )
    _add_wishes(parser.add_argument_group("what is made; what is not given stays, or is usual"))
    doing = parser.add_argument_group("what is done")
    doing.add_argument("--show", action="store_true", help="print the template, and do nothing")
    doing.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and do nothing"
    )
    doing.add_argument("--yes", action="store_true", help="don't ask")
    doing.add_argument("--delete", action="store_true", help="take everything away again")
    fate = doing.add_mutually_exclusive_group()
    fate.add_argument(
        "--keep-bucket", action="store_true", help="with --delete: keep the bucket and results"
    )
    fate.add_argument(
        "--delete-results", action="store_true", help="with --delete --yes: results are lost"
    )


def _add_wishes(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--vpc", default="", metavar="ID", help="the network (the default VPC)")
    group.add_argument(
        "--subnets", default=(), type=_several, metavar="ID,...", help="where in it (all usable)"
    )
    group.add_argument(
        "--security-groups",
        default=(),
        type=_several,
        metavar="ID,...",
        help="what jobs may reach (one of its own: all out, nothing in)",
    )
    group.add_argument(
        "--max-vcpus", type=int, metavar="N", help="of each compute environment (64)"
    )
    group.add_argument(
        "--gpu",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="a queue with GPUs (where the region has them)",
    )
    group.add_argument(
        "--gpu-types",
        default=(),
        type=_several,
        metavar="TYPE,...",
        help="instance types or families with GPUs (g4dn,g5)",
    )
    group.add_argument("--disk", type=int, metavar="GIB", help="the disk of an EC2 instance (100)")
    group.add_argument(
        "--expiry", type=int, metavar="DAYS", help="objects of jobs go after so long (30; 0: never)"
    )
    group.add_argument(
        "--secrets",
        default=(),
        type=_several,
        metavar="ARN,...",
        help="secrets and parameters that jobs may be given",
    )


def wished(parsed: argparse.Namespace) -> Wish:
    """Return what the flags wish for.

    Raises
    ------
    UsageError
        A value that can't be meant.
    """
    return Wish(
        name=parsed.name,
        vpc=parsed.vpc,
        subnets=parsed.subnets,
        security_groups=parsed.security_groups,
        max_vcpus=parsed.max_vcpus,
        gpu=True if parsed.gpu is None and parsed.gpu_types else parsed.gpu,
        gpu_types=parsed.gpu_types,
        disk=parsed.disk,
        expiry=parsed.expiry,
        secrets=parsed.secrets,
    )


def _several(text: str) -> Sequence[str]:
    return tuple(item.strip() for item in text.split(",") if item.strip())
