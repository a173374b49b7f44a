"""One row of the table of options."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Any, Callable, Tuple

from nbbatch.errors import OptionError
from nbbatch.options import collections as several
from nbbatch.options import kinds
from nbbatch.options.places import BATCH


@dataclass(frozen=True)
class Option:
    """One row of the table, as read from a field of `Options`.

    Attributes
    ----------
    name
        In Python; `flag` is its form on a line.
    check
        Takes a value as typed or passed, returns it in its own kind.
    metavar
        An example that it takes.
    environment
        Variables that set it, the first one found wins.
    group
        Where the documentation has it.
    many
        Whether its flag may be given several times on a line, once for each value.
    works
        Where it has an effect: on EC2, Fargate, EKS, and on the local backend.
    becomes
        The field of Batch's requests that it becomes; empty where it is nbbatch's own.
    """

    name: str
    default: Any
    check: kinds.Kind
    metavar: str
    help: str
    environment: Tuple[str, ...]
    group: str
    works: Tuple[str, ...]
    becomes: str
    many: bool = False

    @property
    def flag(self) -> str:
        """Its form on the magic's line and in a terminal."""
        return "--" + self.name.replace("_", "-")

    @property
    def example(self) -> str:
        """How it may stand on a line."""
        if self.switch:
            return self.flag if self.take(self.metavar) else self.flag.replace("--", "--no-", 1)
        return f"{self.flag} {shlex.quote(self.metavar)}"

    @property
    def argument(self) -> str:
        """How it may stand in a decorator."""
        value = self.take(self.metavar)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, tuple):
            value = [self.metavar]
        return f"{self.name}={value!r}"

    @property
    def switch(self) -> bool:
        """Whether its flag needs no value: ``--privileged``, ``--no-tmpfs-tempdir``."""
        return self.check is kinds.switch

    @property
    def bare(self) -> bool:
        """Whether its flag may stand alone, though it takes a value: ``--catch``."""
        return self.check in (kinds.variable, kinds.reuse)

    @property
    def negatable(self) -> bool:
        """Whether ``--no-`` before its name turns it off."""
        return self.switch or self.check is kinds.reuse

    @property
    def shown_default(self) -> str:
        """Its default, written out; empty where there is none, or a switch is off."""
        if self.default is None or self.default is False:
            return ""
        if self.default is True:
            return "on"
        number = isinstance(self.default, float)
        return f"{self.default:g}" if number else str(self.default)

    @property
    def combined(self) -> bool:
        """Whether values of several layers are taken together: texts by name."""
        return self.check in (several.tags, several.environment, several.parameters)

    @property
    def only(self) -> str:
        """Where on AWS it works, in words; empty where it does everywhere."""
        there = [place for place in BATCH if place in self.works]
        missing = [place for place in BATCH if place not in self.works]
        if len(there) < 2:
            return f"{there[0]} only" if there else ""
        return f"not on {missing[0]}" if missing else ""

    def take(self, value: object, where: str = "") -> Any:
        """Return `value` in the option's kind; None is the default.

        Raises
        ------
        OptionError
            It is of the wrong kind or out of range.
        """
        if value is None:
            return self.default
        try:
            return self.check(value)
        except kinds.Refused as refused:
            raise OptionError(
                f"{self.name} = {_shown(value)}{f' (from {where})' if where else ''} can't be used",
                f"{self.name} takes {refused}",
                f"for example {self.example}, or {self.argument} in Python",
            ) from None


def _shown(value: object) -> str:
    """Write a value in one line that a message can hold."""
    try:
        text = " ".join(repr(value).split())
    # A repr may do anything; the message is about the option.
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 120 else f"{text[:100]} ..."


def rows(group: str) -> Callable[..., Any]:
    """Return what makes the rows of one group: fields of `nbbatch.options.table.Options`."""

    def row(
        default: Any,
        check: kinds.Kind,
        metavar: str,
        help: str,
        *variables: str,
        many: bool = False,
    ) -> Any:
        facts = {"check": check, "metavar": metavar, "help": help, "environment": variables}
        return dataclasses.field(default=default, metadata={**facts, "group": group, "many": many})

    return row
