"""What somebody wants to be set up, checked, as parameters of the template."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from nbbatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_NAME = "nbbatch"

#: A stack's name; short, as the names of queues and roles begin with it.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
_IDS = {
    "vpc": re.compile(r"vpc-[0-9a-f]+"),
    "subnets": re.compile(r"subnet-[0-9a-f]+"),
    "security_groups": re.compile(r"sg-[0-9a-f]+"),
    "secrets": re.compile(r"arn:aws[a-z-]*:(secretsmanager|ssm):[^,\s]+"),
}
_EXAMPLES = {
    "vpc": "vpc-0a1b2c3d",
    "subnets": "subnet-0a1b2c3d,subnet-4e5f6a7b",
    "security_groups": "sg-0a1b2c3d",
    "secrets": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:name-*",
}
_PARAMETERS = {
    "vpc": "VpcId",
    "subnets": "SubnetIds",
    "security_groups": "SecurityGroupIds",
    "max_vcpus": "MaxvCpus",
    "gpu": "Gpu",
    "gpu_types": "GpuInstanceTypes",
    "disk": "DiskGiB",
    "expiry": "ExpiryDays",
    "secrets": "SecretArns",
}


@dataclass(frozen=True)
class Wish:
    """What was asked for; None and ``()`` are what was not said.

    Attributes
    ----------
    name
        Of the stack; the names of the queues begin with it.
    max_vcpus
        Of each compute environment.
    gpu_types
        Instance types, or families of them.
    disk
        Of an EC2 instance, in GiB.
    expiry
        Days after which a job's objects are deleted, 0 for never.
    secrets
        ARNs that jobs may be given.

    Raises
    ------
    UsageError
        A value that can't be meant.
    """

    name: str = DEFAULT_NAME
    vpc: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    max_vcpus: int | None = None
    gpu: bool | None = None
    gpu_types: tuple[str, ...] = ()
    disk: int | None = None
    expiry: int | None = None
    secrets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise _refused("name", self.name, "2 to 40 of a-z, 0-9 and -", DEFAULT_NAME)
        for name, least, example in (("max_vcpus", 1, 256), ("disk", 30, 200), ("expiry", 0, 90)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise _refused(name, value, f"a whole number, {least} or more", str(example))
        for name, pattern in _IDS.items():
            value = getattr(self, name)
            for item in (value,) if isinstance(value, str) and value else value:
                if not pattern.fullmatch(item):
                    raise _refused(name, item, "another form", _EXAMPLES[name])

    @property
    def says_network(self) -> bool:
        """Whether anything about the network was said."""
        return bool(self.vpc or self.subnets or self.security_groups)

    def parameters(self) -> dict[str, str]:
        """Return the parameters of the template that were said."""
        return {
            _PARAMETERS[field.name]: _text(getattr(self, field.name))
            for field in fields(self)
            if field.name in _PARAMETERS and getattr(self, field.name) not in (None, "", ())
        }


def merged(
    given: Mapping[str, str], text_defaults: Mapping[str, str], before: Mapping[str, str]
) -> list[dict[str, object]]:
    """Return the parameters of a request: what is not said stays as it is in the stack.

    Parameters
    ----------
    given
        What was said, by the template's names.
    text_defaults
        The template's parameters and their defaults.
    before
        The stack's parameters, empty where there is none yet.
    """
    found: list[dict[str, object]] = []
    for name in text_defaults:
        if name in given:
            found.append({"ParameterKey": name, "ParameterValue": given[name]})
        elif name in before:
            found.append({"ParameterKey": name, "UsePreviousValue": True})
    return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _refused(name: str, value: object, takes: str, example: str) -> UsageError:
    flag = "--" + name.replace("_", "-")
    return UsageError(
        f"{flag} {value} can't be used", f"it takes {takes}", f"for example {flag} {example}"
    )
