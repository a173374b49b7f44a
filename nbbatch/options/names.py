"""Options by their names, and what is said of a name that is none's."""

from __future__ import annotations

import difflib
from typing import List

from nbbatch.errors import OptionError
from nbbatch.options.row import Option
from nbbatch.options.table import table

#: Asked for by people who know Fargate's own API.
_OF_ENVIRONMENTS = ("security_groups", "security_group_ids", "subnets", "subnet_ids", "vpc")

_BY_NAME = {option.name: option for option in table()}


def option_named(name: str) -> Option:
    """Look an option up by its name or flag.

    Raises
    ------
    OptionError
        There is none; the nearest name is in the message.
    """
    plain = name.lstrip("-").replace("-", "_")
    if plain in _BY_NAME:
        return _BY_NAME[plain]
    raise unknown(name, list(_BY_NAME))


def unknown(name: str, known: List[str]) -> OptionError:
    """Build the error for an option that does not exist, naming the nearest that does."""
    if name.lstrip("-").replace("-", "_") in _OF_ENVIRONMENTS:
        return OptionError(
            f"there is no option {name}",
            "AWS Batch has security groups and subnets in compute environments, not in jobs",
            "--queue NAME of a queue whose compute environment has them",
        )
    dashed = name.startswith("-")
    near = difflib.get_close_matches(name.lstrip("-").replace("-", "_"), known, 1, 0.5)
    flags = ["--" + n.replace("_", "-") if dashed else n for n in (near or sorted(known))]
    hint = f"did you mean {flags[0]}?" if near else "one of " + ", ".join(flags)
    return OptionError(f"there is no option {name}", "unknown name", hint)
