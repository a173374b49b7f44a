"""`nbbatch.progress`: how far a loop has come, on the card of the job that runs it.

Standard library only, Python 3.9 and newer: it travels with the worker. Outside a job tqdm shows
the bar, where it is installed; else one line of text does, where somebody looks.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Generic,
    Iterable,
    Iterator,
    List,
    Optional,
    TextIO,
    TypeVar,
    overload,
)

from nbbatch.errors import UsageError
from nbbatch.wire import here

if TYPE_CHECKING:
    from nbbatch.wire.here import Bar

__all__ = ["Progress", "progress"]

T = TypeVar("T")

#: Seconds between two writings of a line.
_PAUSE = 0.1


@overload
def progress(
    iterable: Iterable[T], *, total: Optional[float] = None, label: str = "", unit: str = "it"
) -> Progress[T]: ...


@overload
def progress(
    iterable: None = None, *, total: Optional[float] = None, label: str = "", unit: str = "it"
) -> Progress[Any]: ...


def progress(
    iterable: Optional[Iterable[Any]] = None,
    *,
    total: Optional[float] = None,
    label: str = "",
    unit: str = "it",
) -> Progress[Any]:
    """Show how far a loop has come: on the card in a job, else as tqdm does.

    Parameters
    ----------
    iterable
        What to loop over. Without one the loop says itself how far it has come, by `update`.
    total
        How many turns there are to be; the length of `iterable`, where it has one.
    label
        What stands before the bar.
    unit
        What is counted; sizes in bytes (``"B"``) are written as such.

    Examples
    --------
    >>> for x in nbbatch.progress(xs, label="fit"):
    ...     fit(x)

    >>> with nbbatch.progress(total=size, unit="B") as bar:
    ...     for piece in pieces:
    ...         bar.update(len(piece))
    """
    return Progress(iterable, total=total, label=label, unit=unit)


class Progress(Generic[T]):
    """A loop that shows how far it has come; made by `nbbatch.progress`.

    Iterate over it, or call `update`. It closes itself where the loop ends, however that comes.
    """

    def __init__(
        self,
        iterable: Optional[Iterable[T]] = None,
        *,
        total: Optional[float] = None,
        label: str = "",
        unit: str = "it",
    ) -> None:
        self._iterable = iterable
        self._unit = unit
        self._bar = _open(label, _length(iterable) if total is None else total, unit)

    def __iter__(self) -> Iterator[T]:
        if self._iterable is None:
            raise UsageError(
                "nbbatch.progress has nothing to iterate over",
                "it was called without an iterable",
                "nbbatch.progress(xs), or call update() on it",
            )
        bar = self._bar
        try:
            if isinstance(bar, _Drawn):
                yield from bar.loop(self._iterable)
                return
            for item in self._iterable:
                yield item
                bar.passed += 1
        finally:
            self.close()

    def __length_hint__(self) -> int:
        return int(self._bar.total or 0)

    def __enter__(self) -> Progress[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # What failed to begin has nothing to close.
        if "_bar" in self.__dict__:
            self.close()

    def __repr__(self) -> str:
        return f"<nbbatch.progress: {_text(self._bar, self._unit)}>"

    def __getstate__(self) -> Dict[str, Any]:
        """Keep how far it has come; what it loops over may be large, or not leave its process."""
        bar = self._bar
        return {"label": bar.label, "total": bar.total, "unit": self._unit, "done": bar.done}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self._iterable = ()
        self._unit = state["unit"]
        self._bar = _Drawn(state["label"], state["total"], state["unit"])
        self._bar.passed = state["done"]

    @property
    def done(self) -> float:
        """How far the loop has come."""
        return self._bar.done

    @property
    def total(self) -> Optional[float]:
        """How far it is to come; None where that is not known."""
        return self._bar.total

    @total.setter
    def total(self, total: Optional[float]) -> None:
        self._bar.total = total

    @property
    def label(self) -> str:
        """What stands before the bar."""
        return self._bar.label

    @label.setter
    def label(self, label: str) -> None:
        self._bar.label = label

    def set_label(self, label: str) -> None:
        """Change what stands before the bar."""
        self._bar.label = label

    def update(self, n: float = 1) -> None:
        """Say that `n` more are done; from any thread."""
        self._bar.add(n)

    def close(self) -> None:
        """Say that the loop is over."""
        self._bar.close()


def _length(iterable: Any) -> Optional[int]:
    try:
        return len(iterable)
    # Whatever a generator, or somebody's data set, says to that.
    except Exception:
        return None


def _open(label: str, total: Optional[float], unit: str) -> Bar:
    if here.bars is not None:
        return here.bars().open(label, total, unit)
    try:
        return _Tqdm(label, total, unit)
    # It is not installed, or does not work here.
    except Exception:
        return _Line(label, total, unit, sys.stderr)


class _Drawn:
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


class _Tqdm(_Drawn):
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


class _Line(_Drawn):
    """One line of text that is written anew, where somebody looks.

    Of several only the first is written: they would write over each other.
    """

    _open: List[_Line] = []  # noqa: RUF012 that of all lines together

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
        text = _text(self, self.unit)
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


def _text(bar: Bar, unit: str) -> str:
    start = f"{bar.label}: " if bar.label else ""
    if not bar.total:
        return f"{start}{bar.done:g} {unit}"
    return f"{start}{bar.done:g} of {bar.total:g} {unit} ({bar.done / bar.total:.0%})"
