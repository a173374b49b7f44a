"""How a refusal is worded: the option and its value, the cause, what to type."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

from nbbatch.errors import OptionError
from nbbatch.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_DEFAULTS = {field.name: field.default for field in fields(Options)}
#: Options of which 0 asks for nothing.
_COUNTS = frozenset({"gpu", "inferentia", "trainium", "efa"})


def flag(name: str) -> str:
    """Return an option as it is typed on a line."""
    return "--" + name.replace("_", "-")


def asked(options: Options, names: Iterable[str]) -> list[str]:
    """Return those of the options that ask for something."""
    return [name for name in names if _asks(name, getattr(options, name))]


def _asks(name: str, value: object) -> bool:
    if value == _DEFAULTS[name] or value is False:
        return False
    return bool(value) or name not in _COUNTS


def refusal(options: Options, name: str, cause: str, hint: str, where: str = "") -> OptionError:
    """Build the error for one option; `where` is said after its value."""
    said = f"{name} = {_shown(getattr(options, name))}"
    return OptionError(f"{said} can't be used{where and ' ' + where}", cause, hint)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def check_role(options: Options, name: str) -> None:
    """Refuse what is no ARN of a role.

    Raises
    ------
    OptionError
        The option, and where ARNs are found.
    """
    role = getattr(options, name)
    if _ROLE.fullmatch(role) is None:
        raise OptionError(
            f"{name} = {role!r} can't be used",
            "it is not the ARN of a role",
            f"{flag(name)} arn:aws:iam::ACCOUNT:role/NAME; aws iam list-roles shows the ARNs",
        )
