"""What an option takes, in words and as a function: single values.

A value as typed, passed or configured becomes one of the option's own kind. Taking is
idempotent: what was taken once is taken again as it is, since values pass several checks.
"""

from __future__ import annotations

import keyword
import math
import re
from numbers import Real
from typing import Any, Callable, Mapping


class Refused(Exception):
    """A value is not what its option takes; the message is the reason, or empty."""


class Kind:
    """What an option takes.

    Attributes
    ----------
    says
        In words, after "takes": ``a whole number from 0 to 9``. Messages and documents have it.
    """

    __slots__ = ("_take", "says")

    def __init__(self, says: str, take: Callable[[object], Any]) -> None:
        self.says = says
        self._take = take

    def __call__(self, value: object) -> Any:
        """Return `value` in its own kind.

        Raises
        ------
        Refused
            It is none; the message says what is one, and what is wrong where that says more.
        """
        try:
            return self._take(value)
        except Refused as refused:
            why = f"; {refused}" if str(refused) else ""
        raise Refused(self.says + why)


def kind(says: str) -> Callable[[Callable[[object], Any]], Kind]:
    """Make a function that takes a value, or raises `Refused`, a `Kind`."""
    return lambda take: Kind(says, take)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (Real, str)):
        raise Refused
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise Refused from None
    if not math.isfinite(found):
        raise Refused
    return found


def _whole(value: object, least: float, most: float = math.inf) -> int:
    found = _number(value)
    # 1.1 minutes are 66.00000000000001 seconds.
    nearest = round(found)
    if not math.isclose(found, nearest, rel_tol=1e-12) or not least <= nearest <= most:
        raise Refused
    return nearest


def whole(least: int, most: float = math.inf) -> Kind:
    """Take a whole number in a range, both ends included."""
    area = f" from {least} to {most}" if most < math.inf else f", {least} or more"
    return Kind(f"a whole number{area}", lambda value: _whole(value, least, most))


@kind("a number above 0")
def cores(value: object) -> float:
    """Take vCPUs; a fraction only where the platform allows it."""
    found = _number(value)
    if found <= 0:
        raise Refused
    return found


@kind("a number of minutes, 0 or more")
def minutes(value: object) -> float:
    """Take a duration in minutes."""
    found = _number(value)
    if found < 0:
        raise Refused
    return found


_TIMES = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_AMOUNT = r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]*)\s*"


def _units(*letters: str) -> Mapping[str, int]:
    """Return binary units, each 1024 times the one before: ``g``, ``gb``, ``gi``, ``gib``."""
    sizes = {"": 1}
    for power, letter in enumerate(letters):
        sizes.update({letter + ending: 1024**power for ending in ("", "b", "i", "ib")})
    return sizes


_MEBIBYTES = _units("m", "g", "t")
_GIBIBYTES = _units("g", "t")


def _amount(value: object, units: Mapping[str, int], least: int, most: float = math.inf) -> int:
    match = re.fullmatch(_AMOUNT, value) if isinstance(value, str) else None
    if match is None:
        return _whole(value, least, most)
    figure, unit = match.groups()
    size = units.get(unit.lower())
    if size is None:
        raise Refused(f"{unit} is no unit of it")
    amount = float(figure) * size
    # What has a unit may be a fraction of it: 1.3G are 1331 MiB.
    return _whole(round(amount) if size > 1 and math.isfinite(amount) else amount, least, most)


def mebibytes(least: int) -> Kind:
    """Take a size in MiB, or with a unit: ``16000``, ``"16G"``, ``"1.5GiB"``."""
    says = f"a size in MiB, {least} or more, or with a unit, as 16G"
    return Kind(says, lambda value: _amount(value, _MEBIBYTES, least))


def gibibytes(least: int, most: int) -> Kind:
    """Take a size in GiB in a range, or with a unit: ``100``, ``"100G"``."""
    says = f"a size in GiB from {least} to {most}"
    return Kind(says, lambda value: _amount(value, _GIBIBYTES, least, most))


@kind("a duration in seconds, 1 or more, or with a unit, as 10m")
def seconds(value: object) -> int:
    """Take a duration in seconds, or with a unit: ``90``, ``"90s"``, ``"10m"``, ``"2h"``."""
    return _amount(value, _TIMES, 1)


@kind("a duration in seconds, 0 or more, or with a unit, as 30d")
def age(value: object) -> int:
    """Take how old something must be."""
    return _amount(value, _TIMES, 0)


_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
#: What `reuse` takes besides: nothing earlier is good enough.
REFRESH = "refresh"


@kind("True or False, how old a result may be, in seconds or as 7d, or refresh")
def reuse(value: object) -> "bool | int | str":
    """Take whether an earlier result will do, and which; on a line the flag alone is True."""
    word = value.strip().lower() if isinstance(value, str) else value
    if word == "" or word is True or word in _TRUE[:3]:
        return True
    if word is False or word in _FALSE[:3]:
        return False
    return REFRESH if word == REFRESH else _amount(value, _TIMES, 1)


@kind("True or False")
def switch(value: object) -> bool:
    """Take True or False, or one of the usual words; on a line the flag alone is True."""
    if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in (*_TRUE, *_FALSE):
        raise Refused
    return word in _TRUE


@kind("a text that is not empty")
def text(value: object) -> str:
    """Take a text."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise Refused
    return value.strip()


def choice(*words: str, **other: str) -> Kind:
    """Take one of some words, in upper or lower case, or by one of its `other` names."""
    known = {word.lower(): word for word in words}
    known.update({name.lower(): word for name, word in other.items()})

    def take(value: object) -> str:
        found = known.get(value.strip().lower()) if isinstance(value, str) else None
        if found is None:
            raise Refused
        return found

    return Kind("one of " + ", ".join(words), take)


def plain(value: object) -> str:
    """Return a text, or a number as text, as Metaflow does with what must be a text."""
    if not isinstance(value, (str, int, float)):
        raise Refused
    try:
        found = str(value)
    except ValueError:
        # Python writes no number of more than 4300 digits.
        raise Refused from None
    if "\0" in found:
        raise Refused("it holds a NUL")
    return found


def matching(pattern: str, says: str) -> Kind:
    """Take a text of a certain form; a number counts as its digits, as in ``user=1000``."""

    def take(value: object) -> str:
        found = plain(value).strip()
        # `re` keeps it compiled from the first use on; importing this module stays cheap.
        if isinstance(value, bool) or re.fullmatch(pattern, found, re.ASCII) is None:
            raise Refused
        return found

    return Kind(says, take)


#: https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html
image = matching(
    r"[\w.:/@#-]{1,255}",
    "an image's name of up to 255 characters, without spaces, as python:3.11",
)
#: https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
queue = matching(
    r"[A-Za-z0-9_-]{1,128}|arn:[^\s:]+:batch:[^\s:]+:[0-9]*:job-queue/[A-Za-z0-9_-]{1,128}",
    "a queue's name, up to 128 letters, digits, - and _, or its ARN",
)
job_definition = matching(
    r"(arn:[^\s:]+:batch:[^\s:]+:[0-9]*:job-definition/)?[A-Za-z0-9_-]{1,128}(:[0-9]{1,9})?",
    "a job definition's name, NAME or NAME:REVISION, or its ARN",
)
job_name = matching(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}",
    "up to 128 letters, digits, - and _, the first a letter or digit",
)
share_identifier = matching(r"[A-Za-z0-9]{1,255}\*?", "up to 255 letters and digits")
role = matching(r"\S+", "the ARN of a role")
#: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
service_account = matching(
    r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?",
    "up to 253 small letters, digits, - and ., the first and last a letter or digit",
)
minor = matching(r"3\.[0-9]{1,2}", "a minor version of Python, as 3.11")
user = matching(r"[^\s:]+(:[^\s:]+)?", "USER or USER:GROUP, names or numbers")
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/platform-fargate.html
platform_version = matching(r"LATEST|[0-9]+\.[0-9]+\.[0-9]+", "LATEST or a version, as 1.4.0")
absolute_path = matching(r"/[^\0:]*[^\0:/][^\0:]*", "an absolute path below /, as /scratch")


@kind("the name of a variable, or an empty text")
def variable(value: object) -> str:
    """Take a Python variable's name; ``""`` is none."""
    if not isinstance(value, str) or keyword.iskeyword(value):
        raise Refused
    if value and not value.isidentifier():
        raise Refused
    return value
