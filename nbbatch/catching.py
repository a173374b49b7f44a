"""What becomes of a failure that `catch` keeps from being raised: shown, and bound to a name."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

__all__ = ["Catching", "settle"]


class Catching(Protocol):
    """A job that has ended."""

    @property
    def catch(self) -> str | None:
        """The variable that what went wrong is bound to; ``""`` for none, None to raise it."""

    @property
    def print_exception(self) -> bool:
        """Whether it is shown."""

    @property
    def caught(self) -> BaseException | None:
        """What went wrong."""


def settle(job: Catching, bind: Callable[[Mapping[str, Any]], object]) -> None:
    """Show what a job caught, and have it bound to its variable: to None where all went well."""
    if job.catch is None:
        return
    caught = job.caught
    if job.catch:
        bind({job.catch: caught})
    if caught is not None and job.print_exception:
        print(_shown(caught), end="", file=sys.stderr)


def _shown(error: BaseException) -> str:
    """Return an exception as it would have shown, had it been raised.

    As text: an output of the kind "error" would tell a notebook's runner that the cell failed.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return "".join(traceback.format_exception(error))
    render = getattr(error, "_render_traceback_", None)
    style = shell.InteractiveTB
    lines = (
        render()
        if render is not None
        else style.structured_traceback(type(error), error, error.__traceback__)
    )
    return f"{style.stb2text(lines)}\n"
