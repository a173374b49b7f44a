"""`@batch`: a function that runs elsewhere when it is called."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Coroutine,
    Dict,
    Generic,
    Iterable,
    Literal,
    Optional,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from nbbatch.decorators import layers
from nbbatch.decorators.flyte import AWSBatchConfig, unfolded
from nbbatch.decorators.mapping import Items, arrived, mapped, unpacked, zipped
from nbbatch.errors import OptionError, UsageError, describe_type
from nbbatch.inside import in_job

if sys.version_info >= (3, 10):
    from typing import Concatenate, ParamSpec

    P = ParamSpec("P")
    Q = ParamSpec("Q")
else:
    P = TypeVar("P")

if TYPE_CHECKING:
    from nbbatch.futures import ArrayJob, Job

__all__ = ["BatchFunction", "around", "batch", "check_function", "name_of", "stack"]

R = TypeVar("R")
T = TypeVar("T")


class BatchFunction(Generic[P, R]):
    """A function whose calls are jobs; made by `batch`.

    Inside a job it just runs, and raises what it raises: whatever the decorators ask for is
    asked of the job that it runs in.
    """

    def __init__(
        self,
        function: Callable[P, R],
        options: Dict[str, Any],
        stacked: Optional[layers.Stacked] = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._given = options
        self._stacked = stacked or {}
        self._options = layers.resolved(options, self._stacked)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"<@batch({given}) {name_of(self._function)}>"

    def __reduce__(self) -> Union[str, Tuple[Any, ...]]:
        if _published(self._function) is self:
            return self._function.__qualname__
        return BatchFunction, (self._function, self._given, self._stacked)

    @overload
    def __get__(self, instance: None, owner: Any = None) -> BatchFunction[P, R]: ...
    @overload
    def __get__(
        self: BatchFunction[Concatenate[Any, Q], R], instance: object, owner: Any = None
    ) -> BatchFunction[Q, R]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind like a plain function, so that methods can be decorated."""
        if instance is None and not isinstance(self._function, classmethod):
            return self
        bound = self._function.__get__(instance, owner)
        return BatchFunction(bound, self._given, self._stacked)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function as a job, show it, and return what it returns.

        Raises
        ------
        JobError
            The job ended without a value.
        BaseException
            What the function raised; under `@catch` it returns None instead.
        """
        if in_job():
            return self._function(*arrived(args), **arrived(kwargs))
        from nbbatch import calling

        run: Any = calling.call
        if inspect.iscoroutinefunction(self._function):
            run = calling.call_async
        value: R = run(self._sent(), args, kwargs, self._options)
        return value

    @overload
    def submit(
        self: BatchFunction[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> Job[T]: ...
    @overload
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]: ...
    def submit(self, *args: Any, **kwargs: Any) -> Job[Any]:
        """Start the function as a job and return its `Job`, a future, at once.

        Inside a job the function just runs, and the future is done.
        """
        if in_job():
            done: Job[Any] = _ran(self._function, args, kwargs)
            return done
        from nbbatch.calling import submit

        return submit(self._sent(), args, kwargs, self._options)

    @overload
    def map(
        self: BatchFunction[P, Coroutine[Any, Any, T]],
        *iterables: Iterable[Any],
        chunksize: Union[int, Literal["auto"]] = "auto",
        **kwargs: Any,
    ) -> ArrayJob[T]: ...
    @overload
    def map(
        self,
        *iterables: Iterable[Any],
        chunksize: Union[int, Literal["auto"]] = "auto",
        **kwargs: Any,
    ) -> ArrayJob[R]: ...
    def map(
        self,
        *iterables: Iterable[Any],
        chunksize: Union[int, Literal["auto"]] = "auto",
        **kwargs: Any,
    ) -> ArrayJob[Any]:
        """Call the function with each item, all in one array job; return the job at once.

        Parameters
        ----------
        iterables
            As for Python's own `map`: one for each positional argument, up to the shortest's end.
            A generator is read once, and its items are not held.
        chunksize
            How many items one child of the array works off, one after the other. Left out, it is
            one, and more where there are very many items; or, once a map of this function has
            shown how long an item takes, as many as are worth a child of their own. Time limit,
            memory and attempts are a child's, as for a job.
        kwargs
            The same for all items; sent once.

        Returns
        -------
        ArrayJob
            A future and a sequence: iterate over it for the values in order, as they come.
        """
        return self._mapped(zipped(iterables), kwargs, chunksize)

    @overload
    def starmap(
        self: BatchFunction[P, Coroutine[Any, Any, T]],
        iterable: Iterable[Iterable[Any]],
        *,
        chunksize: Union[int, Literal["auto"]] = "auto",
        **kwargs: Any,
    ) -> ArrayJob[T]: ...
    @overload
    def starmap(
        self,
        iterable: Iterable[Iterable[Any]],
        *,
        chunksize: Union[int, Literal["auto"]] = "auto",
        **kwargs: Any,
    ) -> ArrayJob[R]: ...
    def starmap(
        self,
        iterable: Iterable[Iterable[Any]],
        *,
        chunksize: Union[int, Literal["auto"]] = "auto",
        **kwargs: Any,
    ) -> ArrayJob[Any]:
        """Call the function with each item's parts as its arguments; otherwise as `map`."""
        return self._mapped(unpacked(iterable), kwargs, chunksize)

    def _mapped(self, items: Items, kwargs: Dict[str, Any], chunksize: Any) -> ArrayJob[Any]:
        return mapped(self._function, self._sent(), items, kwargs, self._options, chunksize)

    def _sent(self) -> Callable[..., Any]:
        """Return what travels: that of a module by its name, since the module travels too."""
        published = _published(self._function)
        return self._function if published is None else published

    def local(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here, in this process, as if it were not decorated."""
        return self._function(*args, **kwargs)

    def options(
        self, task_config: Optional[AWSBatchConfig] = None, **options: Any
    ) -> BatchFunction[P, R]:
        """Return the same function with other options; those not named stay.

        Raises
        ------
        OptionError
            An unknown name, or a value of the wrong kind or out of range.
        """
        merged = {**self._options, **unfolded(task_config, options)}
        return BatchFunction(self._function, layers.checked(merged))


@overload
def batch(function: Callable[P, R], /) -> BatchFunction[P, R]: ...
@overload
def batch(
    task_config: Optional[AWSBatchConfig] = None, /, **options: Any
) -> Callable[[Callable[P, R]], BatchFunction[P, R]]: ...
def batch(function: Any = None, /, **options: Any) -> Any:
    """Make a function run as a job: ``@batch`` or ``@batch(cpu=4, memory=16000)``.

    Parameters
    ----------
    function
        Or an `AWSBatchConfig`, which may also be given as ``task_config``.
    options
        Those of the table in `nbbatch.options`.

    Returns
    -------
    BatchFunction
        Call it, or use its ``.submit``, ``.map``, ``.local`` and ``.options``.

    Raises
    ------
    OptionError
        An unknown name, or a value of the wrong kind or out of range.
    """
    config = function if isinstance(function, AWSBatchConfig) else None
    given = layers.checked(unfolded(config, options))

    def decorate(function: Any) -> Any:
        if isinstance(function, (staticmethod, classmethod)):
            return around(function, decorate)
        _check_undecorated(function)
        check_function("batch", function)
        return _made(function, given, layers.carried(function))

    return decorate if function is config else decorate(function)


def around(method: Any, decorate: Callable[[Any], Any]) -> Any:
    """Decorate what a static or class method holds."""
    inner = decorate(method.__func__)
    if isinstance(method, classmethod) and isinstance(inner, BatchFunction):
        # Some Pythons would bind the class to calls alone, and not to `.submit`.
        held: Any = classmethod(inner._function)
        return BatchFunction(held, inner._given, inner._stacked)
    return type(method)(inner)


def stack(
    function: BatchFunction[Any, Any], name: str, said: layers.Said
) -> BatchFunction[Any, Any]:
    """Return the function with what one more decorator says."""
    stacked = layers.with_another(function._stacked, name, said)
    return _made(function._function, function._given, stacked)


def _made(
    function: Callable[..., Any], given: layers.Said, stacked: layers.Stacked
) -> BatchFunction[Any, Any]:
    made: BatchFunction[Any, Any] = BatchFunction(function, given, stacked)
    layers.checked(made._options)
    return made


def _published(function: Any) -> Optional[BatchFunction[Any, Any]]:
    """Return what stands for a function in its module, where any process can import it."""
    home = getattr(function, "__module__", None)
    path = getattr(function, "__qualname__", "<locals>")
    if home in (None, "__main__") or "<locals>" in path:
        return None
    found: Any = sys.modules.get(home)
    for name in path.split("."):
        found = getattr(found, name, None)
    mine = isinstance(found, BatchFunction) and found._function is function
    return found if mine else None


def _ran(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    from concurrent.futures import Future

    future: Future[Any] = Future()
    try:
        future.set_result(function(*arrived(args), **arrived(kwargs)))
    # As in a process pool: whatever it raises, those who ask for the result get it.
    except Exception as error:
        future.set_exception(error)
    return future


def name_of(function: object) -> str:
    """Name a function for people."""
    return str(getattr(function, "__qualname__", None) or describe_type(function))


def _check_undecorated(function: object) -> None:
    if isinstance(function, BatchFunction):
        raise UsageError(
            f"{name_of(function._function)} is decorated with @batch twice",
            "one decorator holds all options",
            "@batch(cpu=4, memory=16000)",
        )


def check_function(decorator: str, function: object) -> None:
    """Refuse what is no function.

    Raises
    ------
    OptionError
        It is a class, or can't be called.
    """
    if inspect.isclass(function) or not callable(function):
        raise OptionError(
            f"@{decorator} decorates functions",
            f"it was given {describe_type(function)}"
            if not inspect.isclass(function)
            else f"it was given the class {function.__qualname__}",
            "@batch(cpu=4) above a def",
        )
