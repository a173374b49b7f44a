"""How long requests may be; what is longer is refused before it is sent.

https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html, and ECS's own limit for a
container's overrides.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbbatch.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFINITION_LIMIT = 24 << 10
SUBMIT_LIMIT = 30 << 10
OVERRIDES_LIMIT = 8192

Request = dict[str, Any]


def compact(value: object) -> bytes:
    """Return the JSON of a request, without spaces, always in the same order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def check_size(what: str, value: object, limit: int, hint: str) -> None:
    """Refuse what is too long.

    Raises
    ------
    LimitError
        How long it is, how long it may be, and what makes it so long.
    """
    size = len(compact(value))
    if size > limit:
        raise LimitError(
            f"{what} is too long for AWS Batch",
            f"it takes {size} bytes, and {limit} are allowed",
            hint,
        )


def check_overrides(overrides: object, environment: Mapping[str, str]) -> None:
    """Refuse more than a container can be told, naming the largest of the user's variables."""
    largest = max(environment, key=lambda name: len(environment[name]), default="")
    named = f"{largest} has {len(environment[largest])} characters; " if largest else ""
    check_size(
        "the job's environment",
        overrides,
        OVERRIDES_LIMIT,
        f"{named}give fewer or shorter variables (option environment), or pass the value as an "
        "argument or a variable of the cell",
    )
