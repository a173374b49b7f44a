"""One row of the table of options."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Any, Callable, Tuple

from nbbatch.errors import OptionError
from nbbatch.options import collections as several
from nbbatch.options import kinds


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
    """

    name: str
    default: Any
    check: kinds.Check
    metavar: str
    help: str
    environment: Tuple[str, ...]
    group: str
    many: bool = False

    @property
    def flag(self) -> str:
        """Its form on the magic's line and in a terminal."""
        return "--" + self.name.replace("_", "-")

    @property
    def example(self) -> str:
        """How it may stand on a line."""
        return self.flag if self.switch else f"{self.flag} {shlex.quote(self.metavar)}"

    @property
    def switch(self) -> bool:
        """Whether its flag needs no value: ``--privileged``, ``--no-tmpfs-tempdir``."""
        return self.check is kinds.switch

    @property
    def bare(self) -> bool:
        """Whether its flag may stand alone, though it takes a value: ``--catch``."""
        return self.check is kinds.variable

    @property
    def combined(self) -> bool:
        """Whether values of several layers are taken together: texts by name."""
        return self.check in (several.tags, several.environment, several.parameters)

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
        except kinds.Refused as refused:
            raise OptionError(
                f"{self.name} = {value!r}{f' (from {where})' if where else ''} can't be used",
                f"{self.name} takes {refused}",
                f"for example {self.example}",
            ) from None


def rows(group: str) -> Callable[..., Any]:
    """Return what makes the rows of one group: fields of `nbbatch.options.table.Options`."""

    def row(
        default: Any,
        check: kinds.Check,
        metavar: str,
        help: str,
        *variables: str,
        many: bool = False,
    ) -> Any:
        facts = {"check": check, "metavar": metavar, "help": help, "environment": variables}
        return dataclasses.field(default=default, metadata={**facts, "group": group, "many": many})

    return row
