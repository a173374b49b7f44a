"""Bars outside a job: as tqdm draws them, else as a line of text where somebody looks."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Iterable, Iterator, List, Optional, TextIO, TypeVar

if TYPE_CHECKING:
    from nbbatch.wire.here import Bar

T = TypeVar("T")

#: Seconds between two writings of a line.
_PAUSE = 0.1


def open_bar(label: str, total: Optional[float], unit: str) -> Bar:
    """Begin a bar."""
    try:
        return TqdmBar(label, total, unit)
    # It is not installed, or does not work here.
    except Exception:
        return LineBar(label, total, unit, sys.stderr)


class Drawn:
    """A bar outside a job; this one is not to be seen."""

    def __init__(self, label: str, total: Optional[float], unit: str) -> None:
        self.label = label
        self.total = total
        self.unit = unit
        self.passed: float = 0
        self._lock = threading.Lock()

    @property
    def done(self) -> float:
        return self.passed

    def loop(self, iterable: Iterable[T]) -> Iterator[T]:
        """Iterate, and count."""
        for item in iterable:
            yield item
            self.add(1)

    def add(self, n: float) -> None:
        with self._lock:
            self.passed += n

    def close(self) -> None:
        """End the drawing."""


class TqdmBar(Drawn):
    """As tqdm draws it: in a terminal, in a notebook."""

    def __init__(self, label: str, total: Optional[float], unit: str) -> None:
        from tqdm.auto import tqdm

        bytes_ = {"unit_scale": True, "unit_divisor": 1024} if unit == "B" else {}
        self._tqdm: Any = tqdm(desc=label or None, total=total, unit=unit, **bytes_)
        self.unit = unit
        self._lock = threading.Lock()

    @property
    def done(self) -> float:
        return float(self._tqdm.n)

    @property
    def total(self) -> Optional[float]:
        value: Optional[float] = self._tqdm.total
        return value

    @total.setter
    def total(self, total: Optional[float]) -> None:
        self._tqdm.total = total
        self._tqdm.refresh()

    @property
    def label(self) -> str:
        return str(self._tqdm.desc or "").rstrip(": ")

    @label.setter
    def label(self, label: str) -> None:
        self._tqdm.set_description(label, refresh=False)

    def loop(self, iterable: Iterable[T]) -> Iterator[T]:
        self._tqdm.iterable = iterable
        yield from self._tqdm

    def add(self, n: float) -> None:
        with self._lock:
            self._tqdm.update(n)

    def close(self) -> None:
        self._tqdm.close()


class LineBar(Drawn):
    """One line of text that is written anew, where somebody looks.

    Of several only the first is written: they would write over each other.
    """

    _open: List[LineBar] = []  # noqa: RUF012 that of all lines together

    def __init__(
        self, label: str, total: Optional[float], unit: str, stream: Optional[TextIO]
    ) -> None:
        super().__init__(label, total, unit)
        self._stream = stream
        self._width = 0
        self._next = 0.0
        self._seen = not self._open and _is_watched(stream)
        if self._seen:
            self._open.append(self)
            self._write()

    def add(self, n: float) -> None:
        super().add(n)
        if self._seen and time.monotonic() >= self._next:
            self._write()

    def close(self) -> None:
        if self._seen:
            self._seen = False
            self._open.remove(self)
            self._write("\n")

    def _write(self, end: str = "") -> None:
        self._next = time.monotonic() + _PAUSE
        text = in_words(self, self.unit)
        # The terminal is gone, or does not know a character of the label: the loop goes on.
        with contextlib.suppress(OSError, ValueError):
            print(f"\r{text:{self._width}}", end=end, file=self._stream, flush=True)
        self._width = len(text)


def _is_watched(stream: Optional[TextIO]) -> bool:
    """Tell whether a stream leads to a terminal or into a notebook."""
    try:
        return type(stream).__module__.startswith("ipykernel.") or bool(stream and stream.isatty())
    # It is closed, or no more than half a file.
    except Exception:
        return False


def in_words(bar: Bar, unit: str) -> str:
    """Say how far a bar has come."""
    start = f"{bar.label}: " if bar.label else ""
    if not bar.total:
        return f"{start}{bar.done:g} {unit}"
    return f"{start}{bar.done:g} of {bar.total:g} {unit} ({bar.done / bar.total:.0%})"
