"""`nbbatch.progress`: how far a loop has come, on the card of the job that runs it.

Standard library only, Python 3.9 and newer: it travels with the worker. Outside a job tqdm shows
the bar, where it is installed; else one line of text does, where somebody looks.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Generic,
    Iterable,
    Iterator,
    Optional,
    TypeVar,
    overload,
)

from nbbatch.errors import UsageError
from nbbatch.wire import here

if TYPE_CHECKING:
    from nbbatch.wire.here import Bar

__all__ = ["Progress", "progress"]

T = TypeVar("T")


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
            # What draws itself counts for itself, too.
            loop = getattr(bar, "loop", None)
            if loop is not None:
                yield from loop(self._iterable)
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
        from nbbatch.bars.outside import in_words

        return f"<nbbatch.progress: {in_words(self._bar, self._unit)}>"

    def __getstate__(self) -> Dict[str, Any]:
        """Keep how far it has come; what it loops over may be large, or not leave its process."""
        bar = self._bar
        return {"label": bar.label, "total": bar.total, "unit": self._unit, "done": bar.done}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        from nbbatch.bars.outside import Drawn

        self._iterable = ()
        self._unit = state["unit"]
        self._bar = Drawn(state["label"], state["total"], state["unit"])
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
    # Loaded only where it is needed: a job draws nothing.
    from nbbatch.bars import outside

    return outside.open_bar(label, total, unit)
