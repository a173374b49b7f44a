"""How long to wait before a call is made again."""

from __future__ import annotations

import random

__all__ = ["backoff"]

_LEAST, _FIRST, _LONGEST = 0.1, 0.5, 8.0


def backoff(attempt: int) -> float:
    """Return seconds to wait after a failed attempt (from 0): longer each time, and spread."""
    most = min(_FIRST * 2**attempt, _LONGEST)
    return random.uniform(_LEAST, most)  # noqa: S311 no secret
