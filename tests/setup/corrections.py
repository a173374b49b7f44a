"""What moto's CloudFormation lacks of the real one.

Moto executes a change set at once and within the request. Real CloudFormation also

- tells each step as an event, and gives the stack its outputs;
- answers a failure not with an error but with events, and takes everything back;
- compares parameters with their defaults and former values, lists too;
- keeps on deletion what says ``RetainExceptOnCreate``, and deletes what is Batch's.

Not covered, as moto has none of it: the bucket's policy, lifecycle and access block; what makes
a compute environment INVALID; IAM's decisions.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from moto.batch.models import ComputeEnvironment, JobQueue, batch_backends
from moto.cloudformation import models, parsing
from moto.cloudformation.responses import CloudFormationResponse
from moto.iam.models import ManagedPolicy, iam_backends

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def corrected() -> Iterator[None]:
    """Correct moto for as long as the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.CloudFormationBackend, "execute_change_set", _execute)
        patch.setattr(models.Stack, "delete", _delete)
        patch.setattr(models.Stack, "stack_parameters", property(_values))
        patch.setattr(models.Stack, "parameter_list", property(_parameter_list))
        patch.setattr(models.Stack, "has_parameters", _has_parameters)
        patch.setattr(models.ChangeSet, "diff", _diff)
        patch.setattr(parsing.ResourceMap, "build_resource_diff", _build_resource_diff)
        patch.setattr(CloudFormationResponse, "_validate_different_update", lambda *_: None)
        for verb in ("CREATE", "UPDATE"):
            name = f"parse_and_{verb.lower()}_resource"
            patch.setattr(parsing, name, _recorded(verb, getattr(parsing, name)))
        patch.setattr(ComputeEnvironment, "delete", _delete_environment, raising=False)
        patch.setattr(JobQueue, "delete", _delete_queue, raising=False)
        patch.setattr(ManagedPolicy, "delete", _delete_policy, raising=False)
        yield


#: The stack that is being worked on; moto serves one request of it at a time.
_working: list[models.Stack] = []
_delete_stack = models.Stack.delete
_compare = parsing.ResourceMap.build_resource_diff


def _event(stack: models.Stack, resource: str, kind: str, status: str, why: str = "") -> None:
    event = models.Event(stack.stack_id, stack.name, resource, "", kind, status, why or None, None)
    stack.events.append(event)


def _recorded(verb: str, work: Any) -> Any:
    """Tell what becomes of each resource; the first to fail is the one that says why."""

    def recorded(logical_id: str, resource_json: Any, *others: Any, **more: Any) -> Any:
        stack, kind = _working[-1] if _working else None, resource_json["Type"]
        try:
            resource = work(logical_id, resource_json, *others, **more)
        except Exception as error:
            if stack and not getattr(error, "told", False):
                _event(stack, logical_id, kind, f"{verb}_FAILED", str(error))
                error.told = True  # type: ignore[attr-defined]
            raise
        if stack and resource:
            for status in (f"{verb}_IN_PROGRESS", f"{verb}_COMPLETE"):
                _event(stack, logical_id, kind, status)
        return resource

    return recorded


def _execute(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
    change_set = self.describe_change_set(change_set_name)
    stack, kind = change_set.stack, change_set.change_set_type
    stack._add_stack_event(f"{kind}_IN_PROGRESS", "User Initiated")
    _working.append(stack)
    before = _values(stack)
    try:
        change_set.apply()
    except Exception as error:
        if not getattr(error, "told", False):
            raise
        _roll_back(stack, kind, before)
        return
    finally:
        _working.pop()
    change_set.execution_status = "EXECUTE_COMPLETE"
    stack.template, stack.parameters = change_set.template, change_set.parameters
    stack._parse_template()
    stack.resource_map.input_parameters = _values(stack)
    stack.output_map = stack._create_output_map()
    stack.status = f"{kind}_COMPLETE"
    stack._add_stack_event(stack.status)


def _roll_back(stack: models.Stack, kind: str, before: dict[str, Any]) -> None:
    prefix = "" if kind == "CREATE" else "UPDATE_"
    why = "The following resource(s) failed. Rollback requested by user."
    stack._add_stack_event(f"{prefix}ROLLBACK_IN_PROGRESS", why)
    if kind == "CREATE":
        stack.resource_map.delete()
        stack.resource_map._parsed_resources.clear()
        stack.resource_map._resource_json_map = {}
    else:
        stack.resource_map.input_parameters = before
        stack.resource_map.load_parameters()
    stack.status = f"{prefix}ROLLBACK_COMPLETE"
    stack._add_stack_event(stack.status)


def _delete(self: Any) -> None:
    for name, resource in self.resource_map._resource_json_map.items():
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
            resource["DeletionPolicy"] = "Retain"
        elif name in self.resource_map._parsed_resources:
            _event(self, name, resource["Type"], "DELETE_COMPLETE")
    _delete_stack(self)


def _values(self: Any) -> dict[str, Any]:
    found = self.resource_map.resolved_parameters
    return {k: ",".join(v) if isinstance(v, list) else str(v) for k, v in found.items()}


def _parameter_list(self: Any) -> list[dict[str, Any]]:
    return [{"ParameterKey": k, "ParameterValue": v} for k, v in _values(self).items()]


def _has_parameters(self: Any, others: dict[str, Any]) -> bool:
    return _values(self) == {**_values(self), **others}


def _build_resource_diff(self: Any, template: Any, parameters: Any = None) -> Any:
    found = _compare(self, template, parameters)
    made = self._parsed_resources
    found["Modify"] = [n for n in dict.fromkeys(found["Modify"]) if made.get(n) is not None]
    return found


def _diff(self: Any) -> list[models.Change]:
    names = self.stack.resource_map.build_resource_diff(self.template_dict, self.parameters)
    old = self.stack.resource_map._resource_json_map
    both = {**old, **self.template_dict["Resources"]}
    return [
        models.Change(action, name, both[name]["Type"])
        for action, found in names.items()
        for name in found
    ]


def _delete_environment(self: Any, account: str, region: str) -> None:
    backend = batch_backends[account][region]
    backend.update_compute_environment(self.name, "DISABLED", None, None)
    backend.delete_compute_environment(self.name)


def _delete_queue(self: Any, account: str, region: str) -> None:
    self.backend.update_job_queue(self.name, None, "DISABLED", None, None)
    self.backend.delete_job_queue(self.name)


def _delete_policy(self: Any, account: str, region: str) -> None:
    iam_backends[account]["aws"].delete_policy(self.arn)
