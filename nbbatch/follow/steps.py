"""What is done before a job can start, where it takes long: its libraries are built and sent."""

from __future__ import annotations

import os
import time
from typing import Any

from nbbatch.follow.emitters import fitting_emitter
from nbbatch.wire.frames import frame

__all__ = ["Steps"]

#: Seconds between two changes of the line.
_PAUSE = 0.1


class Steps:
    """One line under the cell that says which step it is; in a terminal, a line for each."""

    def __init__(self) -> None:
        self._id = f"nbbatch-steps-{os.urandom(6).hex()}"
        self._shown = ""
        self._at = 0.0

    def __call__(self, text: str, *, last: bool = False) -> None:
        """Show a step; one that follows soon may be left out, unless it is the last."""
        emitter = fitting_emitter()
        if not emitter.takes_text:
            # There is no taking back there: only the kinds of steps, and the end.
            if text.partition(" ")[0] != self._shown.partition(" ")[0]:
                print(f"○ {text}", flush=True)
                self._shown = text
            return
        now = time.monotonic()
        if now - self._at < _PAUSE and not last:
            return
        data: dict[str, Any] = {"text/plain": text}
        emitter.emit(
            frame(
                "display",
                data=data,
                metadata={},
                display_id=self._id,
                update=bool(self._shown),
            )
        )
        self._shown, self._at = text, now
