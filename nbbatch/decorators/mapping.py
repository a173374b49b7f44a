"""`f.map`: as an array job, or inside a job one item after the other."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, Mapping, Sequence

from nbbatch.errors import OptionError, UsageError
from nbbatch.inside import in_job

if TYPE_CHECKING:
    from nbbatch.futures import ArrayJob

__all__ = ["Done", "mapped"]


def mapped(
    function: Callable[..., Any],
    sent: Callable[..., Any],
    iterables: Sequence[Iterable[Any]],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
    chunksize: Any,
) -> "ArrayJob[Any]":
    """Start an array job that calls `sent` with each item; in a job just call `function`."""
    if not iterables:
        raise UsageError(
            "map was given nothing to map over",
            "it takes an iterable for each positional argument",
            "f.map(xs), or f.map(xs, ys) for f(x, y)",
        )
    _check(chunksize)
    if in_job():
        done: Any = Done(function, zip(*iterables), kwargs)
        return done  # type: ignore[no-any-return]
    from nbbatch.calling import spread

    return spread(sent, iterables, kwargs, options, chunksize)


def _check(chunksize: Any) -> None:
    whole = isinstance(chunksize, int) and not isinstance(chunksize, bool)
    if chunksize != "auto" and not (whole and chunksize >= 1):
        raise OptionError(
            f"chunksize = {chunksize!r} can't be used",
            "it is how many items one child of the array gets, 1 or more",
            "f.map(xs, chunksize=10), or leave it out",
        )


class Done(Future):  # type: ignore[type-arg]
    """What `map` returns inside a job, where it has run at once: as `ArrayJob`, without a job."""

    def __init__(
        self, function: Callable[..., Any], items: Iterable[Any], kwargs: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self._values: Dict[int, Any] = {}
        self._errors: Dict[int, BaseException] = {}
        for index, arguments in enumerate(items):
            try:
                self._values[index] = function(*arguments, **kwargs)
            # As in a process pool: whatever it raises, those who ask for the result get it.
            except Exception as error:
                self._errors[index] = error
        if self._errors:
            self.set_exception(self._errors[min(self._errors)])
        else:
            self.set_result([self._values[index] for index in range(len(self))])

    def __len__(self) -> int:
        return len(self._values) + len(self._errors)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return self.results()

    def __getitem__(self, index: Any) -> Any:
        wanted = range(len(self))[index]
        return (
            [self._item(each) for each in wanted]
            if isinstance(index, slice)
            else self._item(wanted)
        )

    def results(self, timeout: Any = None, *, return_exceptions: bool = False) -> Iterator[Any]:
        """Yield the values in order."""
        for index in range(len(self)):
            if return_exceptions and index in self._errors:
                yield self._errors[index]
            else:
                yield self._item(index)

    def errors(self) -> Dict[int, BaseException]:
        """Return what was raised, by index."""
        return dict(self._errors)

    def _item(self, index: int) -> Any:
        if index in self._errors:
            raise self._errors[index]
        return self._values[index]
