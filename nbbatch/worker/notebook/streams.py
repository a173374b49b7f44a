r"""The child's `sys.stdout` and `sys.stderr`: text in order with the displays, and at once.

A line goes out when it ends, as does what `flush` or ``\r`` ends; part of a line, and one of very
many lines, at the latest after `DELAY`. In processes that the user's code forks the text goes to
descriptors 1 and 2, since two processes can't share the pipe of frames.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

from nbbatch.wire.frames import Frame, stream

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds that part of a line may wait for its end.
DELAY = 0.05
#: Lines within `DELAY` that each go out alone; more go out together, as those of a file do.
BURST = 50
#: Turns without any text after which the thread that sends late text ends.
_QUIET = 10
#: Characters of a line that don't wait for its end.
LONG = 8192

_DESCRIPTORS = {"stdout": 1, "stderr": 2}


class Outlet:
    """Where both streams and all other frames leave the child, in one order.

    Parameters
    ----------
    emit
        Takes each frame; called by one thread at a time.
    """

    def __init__(self, emit: Callable[[Frame], None]) -> None:
        self._emit = emit
        self._lock = threading.RLock()
        self._name = ""
        self._pending: list[str] = []
        self._size = 0
        self._since = 0.0
        self._lines = 0
        self._wake = threading.Event()
        self._timer: Any = None
        os.register_at_fork(before=self._before_fork, after_in_child=self._in_child)

    def emit(self, item: Frame) -> None:
        """Send a frame after the text written so far."""
        with self._lock:
            self._send()
            self._emit(item)

    def write(self, name: str, text: str) -> None:
        """Take text of the stream `name`."""
        with self._lock:
            if name != self._name:
                self._send()
                self._name = name
            self._pending.append(text)
            self._size += len(text)
            if self._size > LONG or (self._ended(text) and not self._flooded()):
                self._send()
            elif self._timer is None:
                self._start()

    def _ended(self, text: str) -> bool:
        return "\n" in text or text.endswith("\r")

    def _flooded(self) -> bool:
        """Tell whether so many lines come that each alone would cost more than it is worth."""
        now = time.monotonic()
        if now - self._since > DELAY:
            self._since, self._lines = now, 0
        self._lines += 1
        return self._lines > BURST

    def flush(self) -> None:
        """Send what waits."""
        with self._lock:
            self._send()

    def _send(self) -> None:
        if self._pending:
            # Emptied first: what emits may itself write, in a signal handler for example.
            text, self._pending, self._size = "".join(self._pending), [], 0
            self._emit(stream(self._name, text))

    def _start(self) -> None:
        self._wake.clear()
        self._timer = threading.Thread(target=self._later, name="nbbatch-flush", daemon=True)
        try:
            self._timer.start()
        # At the interpreter's end no thread starts; the text goes out at once instead.
        except RuntimeError:
            self._timer = None
            self._send()

    def _later(self) -> None:
        """Flush from time to time, until nothing has waited for a while."""
        quiet = 0
        while True:
            woken = self._wake.wait(DELAY)
            with self._lock:
                quiet = 0 if self._pending else quiet + 1
                self._send()
                if woken or quiet >= _QUIET:
                    self._timer = None
                    return

    def _before_fork(self) -> None:
        """Leave nothing to be written twice, and no thread that a forked child would miss."""
        timer = self._timer
        self._wake.set()
        self.flush()
        if timer is not None and timer is not threading.current_thread():
            timer.join(1)

    def _in_child(self) -> None:
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._pending, self._size, self._timer = [], 0, None
        self._emit = write_raw


def write_raw(item: Frame) -> None:
    """Write a frame as text to the process's own descriptors."""
    shown = item.get("data", {}).get("text/plain")
    text = item.get("text", "") if shown is None else f"{shown}\n"
    data = memoryview(text.encode("utf-8", "replace"))
    try:
        while data:
            data = data[os.write(_DESCRIPTORS.get(item.get("name", ""), 1), data) :]
    # The other end is gone: nobody is left to read it.
    except OSError:
        pass


class Stream(io.TextIOBase):
    """A text file whose content goes to an `Outlet`."""

    encoding = "utf-8"
    errors = "replace"
    newlines = None
    line_buffering = True

    def __init__(self, name: str, outlet: Outlet) -> None:
        self._outlet = outlet
        self._stream = name
        self._buffer = _Bytes(self)

    @property
    def name(self) -> str:
        """As the interpreter's own streams have one."""
        return f"<{self._stream}>"

    @property
    def mode(self) -> str:
        """Written to, never read."""
        return "w"

    @property
    def buffer(self) -> Any:
        """The same file for bytes."""
        return self._buffer

    def write(self, text: Any) -> int:
        """Take text; anything else raises the `TypeError` that a file raises."""
        if not isinstance(text, str):
            name = "None" if text is None else type(text).__name__
            raise TypeError(f"write() argument must be str, not {name}")
        if text:
            self._outlet.write(self._stream, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Send what waits."""
        self._outlet.flush()

    def close(self) -> None:
        """Flush only: code that closes sys.stdout must not silence the rest of the cell."""
        self.flush()

    def fileno(self) -> int:
        """Return the process's own descriptor, for commands and C code to write to."""
        return _DESCRIPTORS[self._stream]

    def isatty(self) -> bool:
        """Say no: there is nobody to move a cursor for."""
        return False

    def readable(self) -> bool:
        """Say no."""
        return False

    def writable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say no."""
        return False

    def reconfigure(self, **options: Any) -> None:
        """Accept what `io.TextIOWrapper.reconfigure` accepts; the encoding stays UTF-8."""
        self.flush()


class _Bytes(io.BufferedIOBase):
    """The bytes side of a `Stream`: UTF-8, decoded as it comes, errors replaced."""

    def __init__(self, text: Stream) -> None:
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def name(self) -> str:
        return self._text.name

    @property
    def raw(self) -> Any:
        return self

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._text.write(self._decoder.decode(view.tobytes()))
        return view.nbytes

    def flush(self) -> None:
        self._text.flush()

    def close(self) -> None:
        self.flush()

    def fileno(self) -> int:
        return self._text.fileno()

    def writable(self) -> bool:
        """Say yes."""
        return True


def install(emit: Callable[[Frame], None]) -> Outlet:
    """Put streams in the place of `sys.stdout` and `sys.stderr`; return their common outlet.

    All other frames must go through the outlet's `emit` from then on, to stay in order.
    """
    outlet = Outlet(emit)
    sys.stdout = sys.__stdout__ = Stream("stdout", outlet)  # type: ignore[misc,assignment]
    sys.stderr = sys.__stderr__ = Stream("stderr", outlet)  # type: ignore[misc,assignment]
    return outlet
