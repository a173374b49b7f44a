"""`@batch`: a function that runs elsewhere when it is called.

Standard library only, Python 3.9 and newer, and nothing else is imported until a function is
submitted: this module travels with the worker, where decorated functions just run.
"""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple, Union

from nbbatch.errors import OptionError, UsageError, describe_type
from nbbatch.inside import in_job
from nbbatch.options import merge, option_named

if TYPE_CHECKING:
    from nbbatch.futures import Job

__all__ = ["BatchFunction", "batch"]


class BatchFunction:
    """A function whose calls are jobs; made by `batch`.

    Inside a job it just runs.
    """

    def __init__(self, function: Callable[..., Any], options: Dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._options = options

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"<@batch({given}) {_name(self._function)}>"

    def __reduce__(self) -> Union[str, Tuple[Any, ...]]:
        if _published(self._function) is self:
            return self._function.__qualname__
        return BatchFunction, (self._function, self._options)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind like a plain function, so that methods can be decorated."""
        if instance is None:
            return self
        bound = self._function.__get__(instance, owner)
        return BatchFunction(bound, self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function as a job, show it, and return what it returns.

        Raises
        ------
        JobError
            The job ended without a value.
        BaseException
            What the function raised.
        """
        if in_job():
            return self._function(*args, **kwargs)
        if inspect.iscoroutinefunction(self._function):
            return self._awaited(args, kwargs)
        from nbbatch.calling import call

        return call(self._sent(), args, kwargs, self._options)

    def submit(self, *args: Any, **kwargs: Any) -> Job[Any]:
        """Start the function as a job and return its `Job`, a future, at once.

        Inside a job the function just runs, and the future is done.
        """
        if in_job():
            done: Job[Any] = _ran(self._function, args, kwargs)
            return done
        from nbbatch.calling import submit

        return submit(self._sent(), args, kwargs, self._options)

    async def _awaited(self, args: Any, kwargs: Any) -> Any:
        return await self.submit(*args, **kwargs)

    def _sent(self) -> Callable[..., Any]:
        """Return what travels: that of a module by its name, since the module travels too."""
        published = _published(self._function)
        return self._function if published is None else published

    def local(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function here, in this process."""
        return self._function(*args, **kwargs)

    def options(self, **options: Any) -> BatchFunction:
        """Return the same function with other options; those not named stay.

        Raises
        ------
        OptionError
            An unknown name, or a value of the wrong kind or out of range.
        """
        return BatchFunction(self._function, _checked({**self._options, **options}))


def batch(function: Optional[Callable[..., Any]] = None, **options: Any) -> Any:
    """Make a function run as a job: ``@batch`` or ``@batch(cpu=4, memory=16000)``.

    Parameters
    ----------
    options
        Those of the table in `nbbatch.options`.

    Returns
    -------
    BatchFunction
        Call it, or use its ``.submit``, ``.local`` and ``.options``.

    Raises
    ------
    OptionError
        An unknown name, or a value of the wrong kind or out of range.
    """
    checked = _checked(options)

    def decorate(function: Callable[..., Any]) -> BatchFunction:
        _check_function(function)
        return BatchFunction(function, checked)

    return decorate if function is None else decorate(function)


def _published(function: Any) -> Optional[BatchFunction]:
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
        future.set_result(function(*args, **kwargs))
    # As in a process pool: whatever it raises, those who ask for the result get it.
    except Exception as error:
        future.set_exception(error)
    return future


def _checked(options: Dict[str, Any]) -> Dict[str, Any]:
    merge(options)
    return {option_named(name).name: value for name, value in options.items()}


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", None) or describe_type(function))


def _check_function(function: Any) -> None:
    if isinstance(function, BatchFunction):
        raise UsageError(
            f"{_name(function._function)} is decorated with @batch twice",
            "one decorator holds all options",
            "@batch(cpu=4, memory=16000)",
        )
    if inspect.isclass(function) or not callable(function):
        raise OptionError(
            "@batch decorates functions",
            f"it was given {describe_type(function)}"
            if not inspect.isclass(function)
            else f"it was given the class {function.__qualname__}",
            "@batch(cpu=4) above a def",
        )
