"""Sets of options as people may give them, and botocore's own model of the requests."""

from __future__ import annotations

import functools
import json
from typing import Any

import botocore.session
from botocore.validate import ParamValidator


@functools.cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("batch")


def validated(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return a request that botocore's model takes, and that has no value outside its lists."""
    shape = _model().operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    _check_words(shape, request)
    return json.loads(json.dumps(request))


def _check_words(shape: Any, value: Any) -> None:
    """Check words against the lists that the model has of them: botocore itself does not."""
    if shape.type_name == "structure":
        for name, inside in value.items():
            _check_words(shape.members[name], inside)
    elif shape.type_name == "list":
        for inside in value:
            _check_words(shape.member, inside)
    elif getattr(shape, "enum", None):
        assert value in shape.enum, (shape.name, value)
