"""Raw fields of the requests, merged last: none of Batch's is out of reach.

A field that SubmitJob has goes there, one that only RegisterJobDefinition has goes into the job
definition, and is in the hash that names it. Objects are merged field by field, lists are
replaced.
"""

from __future__ import annotations

import difflib
import functools
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from nbbatch.errors import OptionError
from nbbatch.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbatch.backends.aws.requests.limits import Request
    from nbbatch.options import Options

SUBMIT, REGISTER = "SubmitJob", "RegisterJobDefinition"
#: Fields by which a job is found again; an option says each.
_NAMES = {
    "jobName": "--name",
    "jobQueue": "--queue",
    "jobDefinition": "--job-definition",
    "jobDefinitionName": "--job-definition",
}


def merged(request: Request, options: Options, operation: str) -> Request:
    """Return a request with the fields of `extra` that are its own.

    Raises
    ------
    OptionError
        A field that neither request has, or that names the job.
    """
    if not options.extra:
        return request
    for name in options.extra:
        _check(name)
    own = {k: v for k, v in options.extra.items() if _goes_to(k) == operation}
    return _deep(request, own)


def only_definition(options: Options) -> list[str]:
    """Return the fields of `extra` that only a definition of our own can carry."""
    return [name for name in options.extra or () if _goes_to(name) == REGISTER]


def validate(request: Request, options: Options, operation: str) -> None:
    """Check a request against botocore's model of Batch, where `extra` may have spoilt it.

    Raises
    ------
    OptionError
        What the model does not take, in its own words.
    """
    if not options.extra:
        return
    report = ParamValidator().validate(request, _shape(operation))
    if report.has_errors():
        raise OptionError(
            "extra can't be used as it is",
            f"{operation} does not take it: {' '.join(report.generate_report().split())}",
            f"https://docs.aws.amazon.com/batch/latest/APIReference/API_{operation}.html",
        )


def check_environment(environment: list[dict[str, str]]) -> None:
    """Refuse an `extra` that takes away what the worker must be told.

    Raises
    ------
    OptionError
        The list of variables was replaced.
    """
    if not any(pair.get("name") == keys.ENV_JOB for pair in environment):
        raise OptionError(
            "extra can't replace the job's environment",
            "lists are replaced, and the variables that the job itself needs are in this one",
            "--environment NAME=VALUE adds one",
        )


def _check(name: str) -> None:
    if name in _NAMES:
        raise OptionError(
            f"extra can't have {name}",
            "nbbatch finds the job by it",
            f"{_NAMES[name]} says it, as far as it can be said",
        )
    if _goes_to(name):
        return
    known = sorted({*_members(SUBMIT), *_members(REGISTER)} - set(_NAMES))
    near = difflib.get_close_matches(name, known, 1, 0.5)
    raise OptionError(
        f"extra has {name!r}, which is no field of {SUBMIT} or {REGISTER}",
        "unknown name",
        f"did you mean {near[0]}?" if near else "one of " + ", ".join(known),
    )


def _goes_to(name: str) -> str:
    return next((op for op in (SUBMIT, REGISTER) if name in _members(op)), "")


def _deep(old: Any, new: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(old)
    for name, value in new.items():
        both = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = _deep(found[name], value) if both else value
    return found


def _members(operation: str) -> Mapping[str, Any]:
    members: Mapping[str, Any] = _shape(operation).members
    return members


def _shape(operation: str) -> Any:
    return _model().operation_model(operation).input_shape


@functools.cache
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("batch", "service-2"))
