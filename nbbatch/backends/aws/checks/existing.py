"""What can't be said of a job definition that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.backends.aws.checks.saying import asked, flag, refusal
from nbbatch.backends.aws.requests.extra import only_definition
from nbbatch.backends.aws.requests.shapes import NODES, POD
from nbbatch.errors import OptionError
from nbbatch.options import IN_DEFINITION, option_named

if TYPE_CHECKING:
    from nbbatch.backends.aws.requests import Shape
    from nbbatch.options import Options


def check_existing(options: Options, shape: Shape) -> None:
    """Refuse what only a definition can say, where the definition is somebody else's.

    Raises
    ------
    OptionError
        The options at fault.
    """
    where = f"with job_definition = {options.job_definition}"
    # Of a pod, a job may override the image too.
    fixed = set(IN_DEFINITION) - ({"image"} if shape.kind == POD else set())
    for name in (*asked(options, sorted(fixed)), *_denied(options, sorted(fixed))):
        cause = "only a job definition can say it, and this one is used as it is"
        hint = f"leave {flag(name)} out, or leave --job-definition out"
        raise refusal(options, name, cause, hint, where)
    fields = only_definition(options)
    if fields:
        raise OptionError(
            f"extra can't have {', '.join(fields)} {where}",
            "these are fields of a job definition, and this one is used as it is",
            "fields of SubmitJob alone, or leave --job-definition out",
        )
    _check_nodes(options, shape, where)


def _denied(options: Options, names: list[str]) -> list[str]:
    """Return the switches that are turned off: that definition may have them on."""
    return [n for n in names if getattr(options, n) is False and option_named(n).default is None]


def _check_nodes(options: Options, shape: Shape, where: str) -> None:
    if options.nodes > 1 and shape.kind != NODES:
        cause = f"it is a job definition of the type {shape.kind}, which is for one node"
        raise refusal(options, "nodes", cause, "the name of a multinode definition", where)
    if shape.kind == NODES and not any(nodes.endswith(":") for nodes in shape.ranges):
        raise OptionError(
            f"job_definition = {options.job_definition} can't be used",
            f"its ranges of nodes ({', '.join(shape.ranges)}) are for one number of nodes alone",
            "register it with a range that has an open end, as 0: or 1:",
        )
