"""Ordinary outputs, written where those of the cell or the program go."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol

from nbbatch.wire.frames import Frame

__all__ = ["Emitter", "fitting_emitter"]


class Emitter(Protocol):
    """Writes ordinary outputs where the cell's outputs go."""

    #: Whether text is shown here; where the view shows it as it comes, it is not said twice.
    takes_text: bool

    def emit(self, frame: Frame) -> None:
        """Write one frame: ``stream``, ``display``, ``result`` or ``clear``."""


class _PlainEmitter:
    """Outputs of a plain Python process: the view has shown the text, the rest has one too."""

    takes_text = False

    def emit(self, frame: Frame) -> None:
        text = frame.get("data", {}).get("text/plain")
        if text:
            print("".join(text) if isinstance(text, list) else text)


class _NotebookEmitter:
    """Outputs of a kernel: messages like those of an ordinary cell."""

    takes_text = True

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def emit(self, frame: Frame) -> None:
        kind = frame["kind"]
        if kind == "stream":
            (sys.stdout if frame["name"] == "stdout" else sys.stderr).write(frame["text"])
        elif kind == "display":
            self._display(frame)
        elif kind == "clear":
            self._shell.display_pub.clear_output(wait=frame["wait"])
        else:
            self._result(frame["data"], frame["metadata"])

    def _display(self, frame: Frame) -> None:
        id_ = frame["display_id"]
        self._shell.display_pub.publish(
            data=frame["data"],
            metadata=frame["metadata"],
            transient={"display_id": id_} if id_ else {},
            update=bool(frame["update"]),
        )

    def _result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        hook = self._shell.displayhook
        hook.start_displayhook()
        hook.write_output_prompt()
        hook.write_format_data(dict(data), dict(metadata))
        hook.finish_displayhook()


class _TerminalEmitter(_NotebookEmitter):
    """Outputs of IPython in a terminal: the view has shown the text."""

    takes_text = False


def fitting_emitter() -> Emitter:
    """Return the emitter that fits this process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return _PlainEmitter()
    return _NotebookEmitter(shell) if hasattr(shell, "kernel") else _TerminalEmitter(shell)
