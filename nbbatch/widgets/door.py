"""The way by which a click reaches a kernel whose main thread is busy with a cell.

Comm messages wait until the cell ends (on ipykernel 6 and 7.4; not on 7.0 to 7.3). The channel
that answers `input()` does not: only the main thread reads it, and only when it wants to. So the
page also sends the click as such an answer, and the cell that waits for a job looks for one in
each step. `input()` itself throws away what came before it asked, so a click that nobody took
harms nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["answers", "attended", "clicks"]


def clicks(receive: Callable[[], Any]) -> Iterator[tuple[str, str]]:
    """Yield (key of the card, what it asks) for each click that waits.

    Parameters
    ----------
    receive
        Returns the next answer's text, None where there is no more.
    """
    while (text := receive()) is not None:
        click = _read(text)
        if click is not None:
            yield click


def _read(text: str) -> tuple[str, str] | None:
    try:
        click = json.loads(text)["nbbatch"]
        return str(click["key"]), str(click["ask"])
    except (ValueError, TypeError, KeyError):
        return None


def answers() -> str | None:
    """Return the text of the next waiting answer; only for the kernel's main thread."""
    kernel = _kernel()
    socket = getattr(kernel, "stdin_socket", None)
    if kernel is None or socket is None:
        return None
    try:
        _, message = kernel.session.recv(socket)
    except ValueError:  # not signed with the kernel's key
        return ""
    return None if message is None else str(message["content"].get("value", ""))


def attended() -> bool:
    """Whether a person may be watching: whoever runs notebooks in bulk answers no `input()`."""
    kernel = _kernel()
    parent = kernel.get_parent() if kernel is not None else {}
    return bool(parent.get("content", {}).get("allow_stdin", kernel is not None))


def _kernel() -> Any:
    ipython = sys.modules.get("IPython")
    return getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
