"""Ordinary outputs below a cell that has ended, as if it had printed them only now.

They are messages of that cell's own (their parent is its request), so the notebook keeps them
where they belong. Sent from any thread: the kernel's channel to its pages takes care of that.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["Place", "here"]


class Place:
    """The cell that ran when this was made."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._parent = kernel.get_parent("shell")

    def paint(self, title: str, outputs: Sequence[dict[str, Any]]) -> None:
        """Put a line and some outputs (as nbformat has them) below the cell."""
        self._send("stream", {"name": "stdout", "text": f"{title}\n"})
        for output in outputs:
            content = {name: value for name, value in output.items() if name != "output_type"}
            self._send(*_message(output["output_type"], content))

    def _send(self, kind: str, content: dict[str, Any]) -> None:
        socket, topic = self._kernel.iopub_socket, kind.encode()
        self._kernel.session.send(socket, kind, content, parent=self._parent, ident=topic)


def _message(kind: str, content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if kind == "execute_result":
        # ``Out[3]`` would be a lie: this cell's value is another one.
        return "display_data", {"data": content["data"], "metadata": content["metadata"]}
    return kind, content


def here() -> Place | None:
    """Return the cell that runs now; None outside kernels."""
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
    return None if kernel is None else Place(kernel)
