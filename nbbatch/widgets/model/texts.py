"""Figures as people write them, and texts that fit."""

from __future__ import annotations

import time

__all__ = ["clip", "clock_time", "duration", "number", "short", "size"]

MINUTE, HOUR, DAY = 60, 3600, 86400
#: From here on a figure rounds to 1, to 100, to 1000, and loses a decimal or changes its unit.
_ONE, _HUNDRED, _THOUSAND = 0.995, 99.5, 999.5
_TEN_SECONDS = 9.95


def duration(seconds: float) -> str:
    """Write a duration as people say it: ``0.4 s``, ``12 s``, ``1 m 12 s``, ``2 h 5 m``."""
    seconds = max(0.0, seconds)
    if seconds < _TEN_SECONDS:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} m {whole % MINUTE} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} m"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def size(amount: float) -> str:
    """Write a number of bytes: ``512 MB``, ``3.1 GB`` (1024 to the next unit)."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < _THOUSAND:
            return f"{short(amount)} {unit}"
        amount /= 1024
    return f"{short(amount)} TB"


def clock_time(epoch: float) -> str:
    """Write a moment in local time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch))


def clip(text: str, limit: int) -> str:
    """Cut a text that is longer than `limit`, showing that it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def short(amount: float) -> str:
    """Write a number with at most three digits that say something: 0.25, 3.1, 16, 873."""
    digits = 0 if amount >= _HUNDRED else 1 if amount >= _ONE else 2
    text = f"{amount:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(value: object) -> float | None:
    """Take a figure as some backend told it, None where it told none."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
