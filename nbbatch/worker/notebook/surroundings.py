"""What a notebook gives a cell: streams, displays, figures, magics; put up around the code."""

from __future__ import annotations

from typing import Any, Callable, Dict

from nbbatch.wire.frames import Frame
from nbbatch.worker.notebook import shell, streams
from nbbatch.worker.notebook.display import Display
from nbbatch.worker.notebook.figures import Figures
from nbbatch.worker.run import lastwords


class Surroundings:
    """Everything that the code may write to, in one order.

    Parameters
    ----------
    say
        Takes each frame.
    namespace
        The one in which the code runs; it gets its `get_ipython` and `display`.
    """

    def __init__(self, say: Callable[[Frame], None], namespace: Dict[str, Any]) -> None:
        self._outlet = streams.install(say)
        lastwords.keep(self._outlet.flush)
        self._display = Display(self._outlet.emit, namespace)
        self._shell = shell.install(namespace, self._display, Figures(self._display))

    def say(self, frame: Frame) -> None:
        """Emit a frame after what was printed and shown so far."""
        self._outlet.emit(frame)

    def show(self, value: Any) -> None:
        """Show the value of the last expression."""
        self._display.show_result(value)

    def leave(self) -> None:
        """Show what is still to be shown: open figures, the end of the text."""
        self._shell.finish()
        self._outlet.flush()
        lastwords.flush_native()
