"""The card in a terminal: the log as it comes, and one line below it that says how it goes.

Where the output is no terminal (a pipe, a file, a continuous integration's log) the line is
written once per state instead. The line is erased with spaces, so that NO_COLOR holds for all.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping
from typing import TextIO

from nbbatch.facts import JobFacts
from nbbatch.widgets.log import Line
from nbbatch.widgets.model import CardModel, card_model
from nbbatch.widgets.pump import Pump, shared
from nbbatch.widgets.static import render_text

__all__ = ["TerminalView"]

_COLOURS = {"running": "36", "ok": "32", "bad": "31", "cancelled": "33"}
_ASCII = str.maketrans({"○": "o", "◌": "o", "●": "*", "✓": "+", "✗": "x", "⊘": "-", "·": "|"})
_ASCII.update(str.maketrans({"—": "-", "…": "~"}))


class TerminalView:
    """Draws one job on text streams.

    Parameters
    ----------
    stream, errors
        Where stdout and stderr of the job go; the process's own by default. The state is told
        on `stream`.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        errors: TextIO | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
        pump: Pump = shared,
    ) -> None:
        self._out = sys.stdout if stream is None else stream
        self._errors = sys.stderr if errors is None else errors
        self._lock = threading.Lock()
        self._clock = clock
        self._pump = pump
        self._updating = _is_terminal(self._out) and environ.get("TERM") != "dumb"
        self._coloured = self._updating and not environ.get("NO_COLOR")
        self._facts: JobFacts | None = None
        self._waiting: list[Line] = []
        self._word = ""
        self._shown = ""  # the status line that stands on the screen
        self._midline = False  # the log's last line is not finished
        self._closed = False
        if self._updating:
            pump.add(self)

    def update(self, facts: JobFacts) -> None:
        """Show `facts`: at the next tick, or as a line where its state is a new one."""
        with self._lock:
            if self._closed:
                return
            self._facts = facts
            if not self._updating:
                self._tell_change(facts)

    def write(self, name: str, text: str) -> None:
        """Pass the log on; `name` is ``stdout`` or ``stderr``."""
        with self._lock:
            if self._closed or not text:
                return
            if self._updating:
                self._waiting.append((name, text))
            else:
                self._pass_on(name, text)

    def release(self) -> None:
        """Do nothing: a terminal has no button whose meaning depends on who waits."""

    def poll(self) -> None:
        """Do nothing: a terminal has no clicks."""

    def settle(self) -> None:
        """Write what waits and leave an empty line for what others write."""
        with self._lock:
            if not self._closed:
                self._erase()
                self._drain()
                self._end_line()
                self._out.flush()

    def renew(self) -> None:
        """Do nothing: in a terminal nothing that was written can be cleared."""

    def finish(self, facts: JobFacts, *, log_tail: bool = True) -> None:
        """Write the last line; the log stands above it already."""
        self._pump.remove(self)
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._erase()
            self._drain()
            self._end_line()
            model = card_model(facts, self._clock())
            text = _fitting(render_text(facts, self._clock()), self._out)
            self._out.write(self._coloured_word(text, model) + "\n")
            self._out.flush()

    def tick(self) -> None:
        """Draw what was collected: called by the pump."""
        with self._lock:
            if self._closed:
                return
            status = "" if self._facts is None else self._status(self._facts)
            if not self._waiting and (status == self._shown or self._midline):
                return
            self._erase()
            self._drain()
            if not self._midline:
                self._show(status)

    def _drain(self) -> None:
        waiting, self._waiting = self._waiting, []
        for name, text in waiting:
            self._pass_on(name, text)

    def _pass_on(self, name: str, text: str) -> None:
        stream = self._errors if name == "stderr" else self._out
        stream.write(_encodable(text, stream))
        stream.flush()
        self._midline = not text.endswith("\n")

    def _tell_change(self, facts: JobFacts) -> None:
        model = card_model(facts, self._clock())
        # The end is told by `finish`.
        if model.word == self._word or model.done:
            return
        self._word = model.word
        self._end_line()
        line = f"{model.mark} {model.word} {model.name}"
        self._out.write(_fitting(f"{line}: {model.message}" if model.message else line, self._out))
        self._out.write("\n")
        self._out.flush()

    def _end_line(self) -> None:
        if self._midline:
            self._out.write("\n")
            self._midline = False

    def _status(self, facts: JobFacts) -> str:
        model = card_model(facts, self._clock())
        # Whole seconds: tenths would redraw the line at every tick.
        elapsed = model.elapsed if "." not in model.elapsed else model.elapsed.split(".")[0] + " s"
        use = (f"{meter.name} {meter.text}" for meter in model.usage[:3])
        parts = [f"{model.mark} {model.word}", model.name, elapsed, *_moving(model), *use]
        parts.append(model.cost)
        if not model.usage and model.message:
            parts.append(model.message)
        line = " · ".join(part for part in parts if part)
        return _cut(_fitting(line, self._out), _columns(self._out) - 1)

    def _show(self, status: str) -> None:
        if status and self._facts is not None:
            model = card_model(self._facts, self._clock())
            self._out.write(self._coloured_word(status, model))
            self._out.flush()
        self._shown = status

    def _erase(self) -> None:
        if not self._shown:
            return
        width, columns = _width(self._shown), max(1, _columns(self._out))
        if width < columns:
            self._out.write("\r" + " " * width + "\r")
        else:
            # The terminal has become narrower, and has wrapped the line: back to its begin.
            self._out.write(f"\r\x1b[{(width - 1) // columns}A\x1b[J")
        self._out.flush()
        self._shown = ""

    def _coloured_word(self, text: str, model: CardModel) -> str:
        colour = _COLOURS.get(model.tone)
        head = len(f"{model.mark} {model.word}")
        if not self._coloured or not colour:
            return text
        return f"\x1b[{colour}m{text[:head]}\x1b[0m{text[head:]}"


def _moving(model: CardModel) -> list[str]:
    """Return how far the job's first loop has come, if one is running."""
    bar = next((bar for bar in model.bars if not bar.closed), None)
    return [f"{bar.label}: {bar.text}" if bar.label else bar.text] if bar else []


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _columns(stream: TextIO) -> int:
    """Return how wide the terminal is now; where it does not tell, what the environment says."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or shutil.get_terminal_size().columns
    except (AttributeError, OSError, ValueError):
        return shutil.get_terminal_size().columns


def _encodable(text: str, stream: TextIO) -> str:
    """Replace what the stream's encoding does not know: printing must never fail."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _fitting(text: str, stream: TextIO) -> str:
    """Write the card's own signs in ASCII where the stream can't show them."""
    fits = _encodable(text, stream)
    return text if fits == text else _encodable(text.translate(_ASCII), stream)


def _cell_width(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _width(text: str) -> int:
    return sum(map(_cell_width, text))


def _cut(text: str, columns: int) -> str:
    """Cut a line that would wrap: only an unwrapped one can be erased."""
    while text and _width(text) > columns:
        text = text[:-1]
    return text
