"""`f.map`: as an array job, or inside a job one item after the other."""

from __future__ import annotations

from concurrent.futures import Future
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from nbbatch.errors import OptionError, UsageError
from nbbatch.inside import in_job

if TYPE_CHECKING:
    from nbbatch.futures import ArrayJob

__all__ = ["Done", "arrived", "mapped", "unpacked", "zipped"]


def mapped(
    function: Callable[..., Any],
    sent: Callable[..., Any],
    items: "Items",
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
    chunksize: Any,
) -> "ArrayJob[Any]":
    """Start an array job that calls `sent` with each item; in a job just call `function`."""
    _check(chunksize)
    if in_job():
        done: Any = Done(function, items.arguments, kwargs)
        return done  # type: ignore[no-any-return]
    from nbbatch.calling import spread

    return spread(sent, items.arguments, items.known, kwargs, options, chunksize)


class Items(NamedTuple):
    """The positional arguments of each call, as they come, and how many there are if known."""

    arguments: Iterable[Tuple[Any, ...]]
    known: Optional[int]


def zipped(iterables: Sequence[Iterable[Any]]) -> Items:
    """Take an iterable for each argument, up to the shortest's end, as Python's `map` does."""
    if not iterables:
        raise UsageError(
            "map was given nothing to map over",
            "it takes an iterable for each positional argument",
            "f.map(xs), or f.map(xs, ys) for f(x, y)",
        )
    counts = [_length(each) for each in iterables]
    known = [count for count in counts if count is not None]
    return Items(zip(*iterables), min(known) if len(known) == len(counts) else None)


def unpacked(tuples: Iterable[Iterable[Any]]) -> Items:
    """Take all arguments of a call together, as `itertools.starmap` does."""
    return Items(_unpacked(tuples), _length(tuples))


def _length(iterable: Iterable[Any]) -> Optional[int]:
    try:
        return len(iterable)  # type: ignore[arg-type]
    # A generator.
    except TypeError:
        return None


def _unpacked(tuples: Iterable[Iterable[Any]]) -> Iterator[Tuple[Any, ...]]:
    for index, each in enumerate(tuples):
        try:
            yield tuple(each)
        except TypeError:
            raise UsageError(
                f"item {index} can't be unpacked",
                f"starmap takes the arguments of each call together, and that one is {each!r:.80}",
                "f.starmap([(1, 2), (3, 4)]), or f.map(xs) for single arguments",
            ) from None


def _check(chunksize: Any) -> None:
    whole = isinstance(chunksize, int) and not isinstance(chunksize, bool)
    if chunksize != "auto" and not (whole and chunksize >= 1):
        raise OptionError(
            f"chunksize = {chunksize!r} can't be used",
            "it is how many items one child of the array gets, 1 or more",
            "f.map(xs, chunksize=10), or leave it out",
        )


def arrived(value: Any) -> Any:
    """Return arguments with results in the place of jobs, as a job of its own would get them."""
    if isinstance(value, Future):
        return value.result()
    if type(value) in (list, tuple):
        return type(value)(map(arrived, value))
    return {k: arrived(v) for k, v in value.items()} if type(value) is dict else value


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
                self._values[index] = function(*arrived(arguments), **arrived(kwargs))
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

    def as_completed(
        self, timeout: Any = None, *, return_exceptions: bool = False
    ) -> Iterator[Tuple[int, Any]]:
        """Yield index and value, in order: that is how they came."""
        return enumerate(self.results(return_exceptions=return_exceptions))

    def errors(self) -> Dict[int, BaseException]:
        """Return what was raised, by index."""
        return dict(self._errors)

    def _item(self, index: int) -> Any:
        if index in self._errors:
            raise self._errors[index]
        return self._values[index]
