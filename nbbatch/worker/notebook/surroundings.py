"""What a notebook gives a cell: streams, displays, figures, magics; put up around the code."""

from __future__ import annotations

import contextlib
import functools
import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from nbbatch.wire import here
from nbbatch.wire.frames import Frame
from nbbatch.worker.notebook import shell, streams
from nbbatch.worker.notebook.display import Display
from nbbatch.worker.notebook.figures import Figures
from nbbatch.worker.notebook.imports import after_import
from nbbatch.worker.run import lastwords

if TYPE_CHECKING:
    from nbbatch.worker.notebook.bars import Bars


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
        self._loops = Loops(self._outlet.emit)
        lastwords.keep(self._last_words)
        self._display = Display(self._outlet.emit, namespace)
        self._shell = shell.install(namespace, self._display, Figures(self._display))

    def say(self, frame: Frame) -> None:
        """Emit a frame after what was printed and shown so far."""
        self._outlet.emit(frame)

    def show(self, value: Any) -> None:
        """Show the value of the last expression."""
        self._display.show_result(value)

    def leave(self) -> None:
        """Show what is still to be shown: open figures, bars, the end of the text."""
        self._shell.finish()
        self._loops.finish()
        self._outlet.flush()
        lastwords.flush_native()

    def _last_words(self) -> None:
        self._loops.tick()
        self._outlet.flush()


class Loops:
    """The progress that `nbbatch.progress` and tqdm tell; costs nothing where neither is used."""

    def __init__(self, emit: Callable[[Frame], None]) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._open: Optional[Bars] = None
        here.bars = self.bars
        for name in ("tqdm.std", "tqdm.notebook"):
            after_import(name, functools.partial(self._connect, name))

    def bars(self) -> Bars:
        """Return the bars of this process; made when the first is wanted."""
        with self._lock:
            if self._open is None:
                # Loaded only where it is wanted: most jobs have no bars.
                from nbbatch.worker.notebook.bars import Bars

                self._open = Bars(self._emit)
            return self._open

    def _connect(self, name: str) -> None:
        from nbbatch.worker.notebook import tqdm

        # A tqdm unlike those that we know shows its bars as text only.
        with contextlib.suppress(Exception):
            tqdm.connect(name, self.bars)

    def tick(self) -> None:
        """Tell how the bars stand."""
        if self._open is not None:
            self._open.tick()

    def finish(self) -> None:
        """Tell how the bars stand, for the last time."""
        if self._open is not None:
            self._open.finish()
