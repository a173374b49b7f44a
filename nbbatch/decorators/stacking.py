"""The decorators that stand above or below `@batch`, in any order, each with its own settings.

``@retry`` or ``@retry(times=2)``. Without `@batch` the function stays as it is, and carries its
settings along. Their arguments are Metaflow's (https://docs.metaflow.org/api/step-decorators);
each becomes options of the table.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, TypeVar, Union

from nbbatch.decorators import layers
from nbbatch.decorators.function import BatchFunction, around, check_function, name_of, stack
from nbbatch.errors import OptionError, UsageError
from nbbatch.inside import in_job
from nbbatch.options import kinds, option_named, unknown

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    from typing import ParamSpec, Protocol, overload

    P = ParamSpec("P")

    class Decorator(Protocol[P]):
        """What can stand above a function as it is, or with arguments."""

        @overload
        def __call__(self, function: F, /) -> F: ...
        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Callable[[F], F]: ...


__all__ = ["catch", "environment", "parallel", "resources", "retry", "secrets", "timeout"]


def stackable(
    example: str, **arguments: str
) -> Callable[[Callable[P, Dict[str, Any]]], Decorator[P]]:
    """Make a decorator of a function that turns its arguments into options.

    Parameters
    ----------
    example
        Of its use, for the messages.
    arguments
        The argument behind an option, where it has another name.
    """

    def make(settings: Callable[P, Dict[str, Any]]) -> Decorator[P]:
        name = settings.__name__

        def said(args: Any, kwargs: Any) -> layers.Said:
            _check_arguments(settings, args, kwargs, example)
            options = settings(*args, **kwargs)
            return {
                option: _taken(option, value, f"@{name}", arguments.get(option, option), example)
                for option, value in options.items()
                if value is not None
            }

        @functools.wraps(settings)
        def decorator(*args: Any, **kwargs: Any) -> Any:
            if len(args) == 1 and not kwargs and _is_function(args[0]):
                return _decorated(args[0], name, said((), {}))
            options = said(args, kwargs)
            return lambda function: _decorated(function, name, options)

        return decorator

    return make


def _is_function(value: object) -> bool:
    return callable(value) or isinstance(value, (staticmethod, classmethod))


def _check_arguments(settings: Any, args: Any, kwargs: Any, example: str) -> None:
    signature = inspect.signature(settings)
    for name in kwargs:
        if name not in signature.parameters:
            near = unknown(name, list(signature.parameters)).hint
            raise OptionError(f"@{settings.__name__} takes no {name}", "unknown name", near)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise OptionError(
            f"@{settings.__name__} can't be used so", str(error), f"for example {example}"
        ) from None


def _taken(option: str, value: object, decorator: str, argument: str, example: str) -> Any:
    try:
        return option_named(option).check(value)
    except kinds.Refused as refused:
        raise OptionError(
            f"{argument} = {value!r} of {decorator} can't be used",
            f"{argument} takes {refused}",
            f"for example {example}",
        ) from None


def _decorated(function: Any, name: str, said: layers.Said) -> Any:
    if isinstance(function, (staticmethod, classmethod)):
        return around(function, lambda inner: _decorated(inner, name, said))
    if isinstance(function, BatchFunction):
        return stack(function, name, said)
    check_function(name, function)
    _check_reach(function, name)
    stacked = layers.with_another(layers.carried(function), name, said)
    try:
        setattr(function, layers.CARRIED, stacked)
    # Built-in functions and bound methods have no attributes of their own.
    except AttributeError:
        raise OptionError(
            f"@{name} can't be used on {name_of(function)}",
            "it can't carry settings",
            f"put it above @batch: {name}(batch(...))",
        ) from None
    return function


def _check_reach(function: object, name: str) -> None:
    """Refuse a function whose `@batch` lies hidden below another decorator."""
    inner = getattr(function, "__wrapped__", None)
    while inner is not None:
        if isinstance(inner, BatchFunction):
            raise UsageError(
                f"@{name} can't reach the @batch of {name_of(function)}",
                "another decorator stands between the two",
                f"put @{name} beside @batch",
            )
        inner = getattr(inner, "__wrapped__", None)


Number = Union[int, float, str]


@stackable("@resources(cpu=4, memory=16000)")
def resources(
    cpu: Optional[Number] = None,
    gpu: Optional[Number] = None,
    disk: Optional[Number] = None,
    memory: Optional[Number] = None,
    shared_memory: Optional[Number] = None,
) -> Dict[str, Any]:
    """Say what the function needs, whatever it runs on.

    Of what `@batch` says too, the larger one counts. `cpu` is 1 and `memory` 4096 where left
    out, as in Metaflow: ``@batch(memory=2000)`` with a bare ``@resources`` gives 4096.

    Parameters
    ----------
    disk
        Taken for Metaflow's sake, without effect: on Batch the disk is ``ephemeral_storage``.
    memory, shared_memory
        In MiB, or with a unit.
    """
    if disk is not None and not in_job():
        warnings.warn(
            "@resources(disk=...) is without effect on AWS Batch; on Fargate "
            "@batch(ephemeral_storage=100) gives a disk of 100 GiB",
            stacklevel=4,
        )
    return {"cpu": cpu, "gpu": gpu, "memory": memory, "shared_memory": shared_memory}


@stackable("@retry(times=2, minutes_between_retries=5)", retries="times")
def retry(times: Number = 3, minutes_between_retries: Number = 2) -> Dict[str, Any]:
    """Try again when the job failed.

    Parameters
    ----------
    times
        Further attempts after one that failed.
    minutes_between_retries
        Minutes to wait before each.
    """
    return {"retries": times, "minutes_between_retries": minutes_between_retries}


@stackable("@timeout(minutes=10)", timeout="the sum of seconds, minutes and hours")
def timeout(seconds: Number = 0, minutes: Number = 0, hours: Number = 0) -> Dict[str, Any]:
    """End an attempt that runs longer than the sum; AWS Batch ends none before 60 seconds.

    Raises
    ------
    OptionError
        No duration is given, or what is given is no number.
    """
    given = {"seconds": (seconds, 1), "minutes": (minutes, 60), "hours": (hours, 3600)}
    total = sum(_number(name, value) * unit for name, (value, unit) in given.items())
    if not total:
        raise OptionError(
            "@timeout has no duration", "specify a duration", "for example @timeout(minutes=10)"
        )
    return {"timeout": total}


def _number(argument: str, value: object) -> float:
    try:
        found: float = kinds.minutes(value)
    except kinds.Refused:
        raise OptionError(
            f"{argument} = {value!r} of @timeout can't be used",
            f"{argument} takes a number, 0 or more",
            "for example @timeout(minutes=10)",
        ) from None
    return found


@stackable('@catch(var="problem")', catch="var")
def catch(var: Optional[str] = None, print_exception: bool = True) -> Dict[str, Any]:
    """Return None instead of raising, once no attempt is left.

    What the code raised is caught, and the loss of the job: out of memory, time or its instance,
    or an image that does not start. A job that was cancelled, or never submitted, still raises.

    Parameters
    ----------
    var
        A global variable of the function's that the exception is bound to; None where nothing
        went wrong.
    print_exception
        Whether it is shown as well.
    """
    return {"catch": var or "", "print_exception": print_exception}


@stackable('@environment(vars={"MODE": "fast"})', environment="vars")
def environment(vars: Mapping[str, str]) -> Dict[str, Any]:
    """Set environment variables in the job, before its code runs."""
    return {"environment": vars}


@stackable('@secrets(sources={"DB_PASSWORD": "my-secret"})', secrets="sources")
def secrets(
    sources: Union[str, Mapping[str, Any], List[Any]],
    role: Optional[str] = None,
    allow_override: bool = False,
) -> Dict[str, Any]:
    """Give the job secrets as environment variables: AWS Batch does, nobody else sees them.

    Parameters
    ----------
    sources
        ``{"VARIABLE": source}``, or a list of sources that hold variables by name, as Metaflow
        has them; the forms of a source are those of `nbbatch.options.sources`.
    role
        With which AWS Batch reads them: the ``execution_role``.
    allow_override
        Whether they may replace other variables.
    """
    given: List[Any] = list(sources) if isinstance(sources, (list, tuple)) else [sources]
    roles = {item["role"] for item in given if _specified(item) and item.get("role")} or {role}
    if len(roles) > 1:
        raise OptionError(
            "sources of @secrets can't be used",
            f"they are to be read with {len(roles)} roles, and AWS Batch reads all with one",
            "@secrets(sources=[...], role=...) with one that may read them all",
        )
    plain = [
        {k: v for k, v in item.items() if k != "role"} if _specified(item) else item
        for item in given
    ]
    said = {"secrets": plain, "execution_role": roles.pop()}
    return {**said, "allow_override": allow_override or None}


def _specified(item: object) -> bool:
    """Tell whether it is Metaflow's long form of a source."""
    return isinstance(item, dict) and "id" in item


@stackable("@parallel(num_nodes=4)", nodes="num_nodes")
def parallel(num_nodes: Number) -> Dict[str, Any]:
    """Run on several nodes at once, in one multi-node parallel job."""
    return {"nodes": num_nodes}
