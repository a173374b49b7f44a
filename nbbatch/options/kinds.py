"""What an option takes, as functions: a value as typed or passed becomes one of its own kind."""

from __future__ import annotations

import math
import re
from typing import Any, Callable, Mapping

Check = Callable[[object], Any]


class Refused(Exception):
    """A value is not what its option takes; the message says what it takes."""


def number(value: object) -> float:
    """Take a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Refused("a number")
    try:
        return float(value)
    except ValueError:
        raise Refused("a number") from None


def _whole(value: object, least: float, most: float, what: str) -> int:
    try:
        found = number(value)
    except Refused:
        raise Refused(what) from None
    if not math.isfinite(found) or found != int(found) or not least <= found <= most:
        raise Refused(what)
    return int(found)


def whole(least: int, most: float = math.inf, unit: str = "") -> Check:
    """Take a whole number in a range, both ends included."""
    area = f"from {least} to {most}" if most < math.inf else f"{least} or more"
    what = f"a whole number{unit and ' of '}{unit}, {area}"
    return lambda value: _whole(value, least, most, what)


def cores(value: object) -> float:
    """Take vCPUs: a number above 0, a fraction where the platform allows it."""
    found = number(value)
    if not 0 < found < math.inf:
        raise Refused("a number above 0")
    return found


_SIZES = {"": 1, "m": 1, "mb": 1, "mib": 1, "g": 1024, "gb": 1024, "gib": 1024}
_SIZES.update({"t": 1 << 20, "tb": 1 << 20, "tib": 1 << 20})
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNT = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]*)\s*")


def _amount(value: object, units: Mapping[str, int], least: int, what: str) -> int:
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return _whole(value, least, math.inf, what)
    figure, unit = match.groups()
    if unit.lower() not in units:
        raise Refused(what)
    return _whole(float(figure) * units[unit.lower()], least, math.inf, what)


def mebibytes(value: object) -> int:
    """Take a size in MiB, or with a unit: ``16000``, ``"16G"``."""
    return _amount(value, _SIZES, 1, "a size in MiB above 0, or with a unit, as 16G")


def mebibytes_or_none(value: object) -> int:
    """Take a size in MiB that may be 0, or with a unit."""
    return _amount(value, _SIZES, 0, "a size in MiB, 0 or more, or with a unit, as 2G")


def gibibytes(least: int, most: int) -> Check:
    """Take a size in GiB in a range."""
    return whole(least, most, "GiB")


def seconds(value: object) -> int:
    """Take a duration in seconds, or with a unit: ``90``, ``"90s"``, ``"10m"``, ``"2h"``."""
    return _amount(value, _TIMES, 1, "a duration in seconds above 0, or with a unit, as 10m")


def minutes(value: object) -> float:
    """Take a duration in minutes, 0 or more."""
    found = number(value)
    if not 0 <= found < math.inf:
        raise Refused("a number of minutes, 0 or more")
    return found


_TRUE = ("true", "yes", "on", "1", "")
_FALSE = ("false", "no", "off", "0")


def switch(value: object) -> bool:
    """Take True or False; on a line the flag alone is True."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else None
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Refused("True or False")


def text(value: object) -> str:
    """Take a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise Refused("a text that is not empty")
    return value.strip()


def choice(*words: str, **other: str) -> Check:
    """Take one of some words, in upper or lower case, or by one of its `other` names."""
    known = {word.lower(): word for word in words}
    known.update({name.lower(): word for name, word in other.items()})

    def take(value: object) -> str:
        found = known.get(value.strip().lower()) if isinstance(value, str) else None
        if found is None:
            raise Refused("one of " + ", ".join(words))
        return found

    return take


def matching(pattern: str, what: str) -> Check:
    """Take a text of a certain form."""
    form = re.compile(pattern)

    def take(value: object) -> str:
        if not isinstance(value, str) or form.fullmatch(value.strip()) is None:
            raise Refused(what)
        return value.strip()

    return take


#: As Batch allows it: https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
job_name = matching(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}",
    "up to 128 letters, digits, - and _, the first a letter or digit",
)
share_identifier = matching(r"[A-Za-z0-9]{1,255}\*?", "up to 255 letters and digits")
absolute_path = matching(r"/[^\0]*", "an absolute path, as /scratch")


def variable(value: object) -> str:
    """Take a Python variable's name; ``""`` is none."""
    if not isinstance(value, str) or not (value.isidentifier() or not value):
        raise Refused("the name of a variable")
    return value
