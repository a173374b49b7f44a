"""The table of options: each one's name, kind, default, environment variables and help, once.

`Options` is the table. The decorator's arguments, the magic's flags, the terminal's flags, the
documentation and the request builder are derived from its fields: an option that is not a field
here does not exist anywhere.

The meaning, defaults and variables of `cpu` to `executable` are those of Metaflow's ``@batch``
(https://docs.metaflow.org/api/step-decorators/batch).
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from nbbatch.errors import OptionError

__all__ = ["Option", "Options", "merge", "option_named", "table"]

Check = Callable[[object], Any]


class _Refused(Exception):
    """A value is not what its option takes; the message says what it takes."""


def _number(text: object) -> float:
    if isinstance(text, bool) or not isinstance(text, (int, float, str)):
        raise _Refused("a number")
    try:
        return float(text)
    except ValueError:
        raise _Refused("a number") from None


def _whole(text: object, least: int, what: str) -> int:
    try:
        value = _number(text)
    except _Refused:
        raise _Refused(what) from None
    if not math.isfinite(value) or value != int(value) or value < least:
        raise _Refused(what)
    return int(value)


def cores(value: object) -> float:
    """Take vCPUs: a number above 0, a fraction where the platform allows it."""
    number = _number(value)
    if not 0 < number < float("inf"):
        raise _Refused("a number above 0")
    return number


def count(value: object) -> int:
    """Take a whole number, 0 or more."""
    return _whole(value, 0, "a whole number, 0 or more")


_SIZES = {"": 1, "m": 1, "mb": 1, "mib": 1, "g": 1024, "gb": 1024, "gib": 1024}
_SIZES.update({"t": 1 << 20, "tb": 1 << 20, "tib": 1 << 20})
_AMOUNT = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]*)\s*")


def _amount(value: object, units: Mapping[str, int], what: str) -> int:
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return _whole(value, 1, what)
    number, unit = match.groups()
    if unit.lower() not in units:
        raise _Refused(what)
    return _whole(float(number) * units[unit.lower()], 1, what)


def mebibytes(value: object) -> int:
    """Take a size in MiB, or with a unit: ``16000``, ``"16G"``."""
    return _amount(value, _SIZES, "a size in MiB above 0, or with a unit, as 16G")


def seconds(value: object) -> int:
    """Take a duration in seconds, or with a unit: ``90``, ``"90s"``, ``"10m"``, ``"2h"``."""
    units = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
    return _amount(value, units, "a duration in seconds above 0, or with a unit, as 10m")


def text(value: object) -> str:
    """Take a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise _Refused("a text that is not empty")
    return value.strip()


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def job_name(value: object) -> str:
    """Take a job's name as Batch allows it: letters, digits, ``-`` and ``_``, at most 128."""
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise _Refused("up to 128 letters, digits, - and _, the first a letter or digit")
    return value


@dataclass(frozen=True)
class Option:
    """One row of the table, as read from a field of `Options`.

    Attributes
    ----------
    name
        In Python; `flag` is its form on a line.
    check
        Takes a value as typed or passed, returns it in its own kind.
    environment
        Variables that set it, the first one found wins.
    """

    name: str
    default: Any
    check: Check
    metavar: str
    help: str
    environment: Tuple[str, ...]

    @property
    def flag(self) -> str:
        """Its form on the magic's line and in a terminal."""
        return "--" + self.name.replace("_", "-")

    def take(self, value: object, where: str = "") -> Any:
        """Return `value` in the option's kind.

        Raises
        ------
        OptionError
            It is of the wrong kind or out of range.
        """
        if value is None:
            return self.default
        try:
            return self.check(value)
        except _Refused as refused:
            raise OptionError(
                f"{self.name} = {value!r}{f' (from {where})' if where else ''} can't be used",
                f"{self.name} takes {refused}",
                f"for example {self.flag} {self.metavar}",
            ) from None


def _option(default: Any, check: Check, metavar: str, help: str, *environment: str) -> Any:
    metadata = {"check": check, "metavar": metavar, "help": help, "environment": environment}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Options:
    """What a job asks for; one field is one option everywhere."""

    cpu: float = _option(1.0, cores, "4", "vCPUs")
    gpu: int = _option(0, count, "1", "GPUs")
    memory: int = _option(4096, mebibytes, "16000", "memory in MiB, or with a unit, as 16G")
    shared_memory: Optional[int] = _option(
        None, mebibytes, "1024", "size of /dev/shm in MiB; EC2 only"
    )
    image: Optional[str] = _option(
        None,
        text,
        "python:3.11",
        "container image; without one, the python image of the kernel's own version",
        "NBBATCH_IMAGE",
        "METAFLOW_BATCH_CONTAINER_IMAGE",
        "METAFLOW_DEFAULT_CONTAINER_IMAGE",
    )
    queue: Optional[str] = _option(
        None,
        text,
        "my-queue",
        "job queue; without one, the first that is enabled and valid",
        "NBBATCH_QUEUE",
        "METAFLOW_BATCH_JOB_QUEUE",
    )
    iam_role: Optional[str] = _option(
        None,
        text,
        "arn:aws:iam::111122223333:role/my-job-role",
        "role that the job itself uses to reach S3 and other services",
        "NBBATCH_IAM_ROLE",
        "METAFLOW_ECS_S3_ACCESS_IAM_ROLE",
    )
    execution_role: Optional[str] = _option(
        None,
        text,
        "arn:aws:iam::111122223333:role/my-execution-role",
        "role with which Fargate pulls the image and writes the log",
        "NBBATCH_EXECUTION_ROLE",
        "METAFLOW_ECS_FARGATE_EXECUTION_ROLE",
    )
    executable: Optional[str] = _option(
        None, text, "python3", "interpreter in the image that runs the job; python by default"
    )
    timeout: Optional[int] = _option(
        None, seconds, "10m", "seconds that one attempt may run, or with a unit"
    )
    retries: int = _option(0, count, "2", "further attempts after one that failed, at most 9")
    name: Optional[str] = _option(None, job_name, "train", "name of the job")

    def asked(self) -> Dict[str, Any]:
        """Return the resources alone, as the card shows them."""
        return {"cpu": self.cpu, "gpu": self.gpu, "memory": self.memory, "image": self.image}


def table() -> Iterator[Option]:
    """Yield every option in the order of the table."""
    for field in dataclasses.fields(Options):
        yield Option(name=field.name, default=field.default, **field.metadata)


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
    dashed = name.startswith("-")
    near = difflib.get_close_matches(name.lstrip("-").replace("-", "_"), known, 1, 0.5)
    flags = ["--" + n.replace("_", "-") if dashed else n for n in (near or sorted(known))]
    hint = f"did you mean {flags[0]}?" if near else "one of " + ", ".join(flags)
    return OptionError(f"there is no option {name}", "unknown name", hint)


def merge(*layers: Mapping[str, object]) -> Options:
    """Merge layers of values, the first that sets an option wins, and check each value.

    Parameters
    ----------
    layers
        From the most specific (arguments) to the most general (the configuration file);
        a value of None counts as not set.

    Raises
    ------
    OptionError
        An unknown name, or a value of the wrong kind or out of range.
    """
    values: Dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            option = option_named(name)
            if value is not None and option.name not in values:
                values[option.name] = option.take(value)
    return _checked(Options(**values))


def _checked(options: Options) -> Options:
    if options.retries > 9:
        raise OptionError(
            f"retries = {options.retries} can't be used",
            "AWS Batch makes at most 10 attempts, the first one included",
            "for example --retries 9",
        )
    return options
