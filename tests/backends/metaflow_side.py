"""What Metaflow makes of ``@batch(...)``: its own decorator and request builder, with no AWS.

Imported by the tests alone, and late: Metaflow reads its configuration when it is imported.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from option_sets import validated

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUE = "queue"
REGION = "us-east-1"
TASK = {"flow_name": "F", "step_name": "s", "run_id": "1", "task_id": "control-2", "retry_count": 0}


class RefusedError(Exception):
    """Metaflow, or botocore after it, refuses the parameters, or Metaflow fails over them."""


class _SentError(Exception):
    """All that is wanted of Metaflow is done."""


class Pair(NamedTuple):
    """The two requests."""

    definition: dict[str, Any]
    job: dict[str, Any]


class Recorder:
    """Batch's client: knows one queue, keeps what it is sent."""

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self.sent: dict[str, dict[str, Any]] = {}

    def describe_job_queues(self, **_: Any) -> dict[str, Any]:
        order = [{"order": 1, "computeEnvironment": "environment"}]
        return {"jobQueues": [{"jobQueueName": QUEUE, "computeEnvironmentOrder": order}]}

    def describe_compute_environments(self, **_: Any) -> dict[str, Any]:
        return {"computeEnvironments": [{"computeResources": {"type": self._platform}}]}

    def describe_job_definitions(self, **_: Any) -> dict[str, Any]:
        return {"jobDefinitions": []}

    def register_job_definition(self, **request: Any) -> dict[str, Any]:
        self.sent["RegisterJobDefinition"] = _plain(request)
        return {"jobDefinitionArn": "arn"}

    def submit_job(self, **request: Any) -> None:
        self.sent["SubmitJob"] = _plain(request)
        # It would look for the job now, once a second.
        raise _SentError


class _Client:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def job(self) -> Any:
        from metaflow.plugins.aws.batch.batch_client import BatchJob

        return BatchJob(self._recorder)

    def region(self) -> str:
        return REGION


class _Environment:
    def get_package_commands(self, *_: Any) -> list[str]:
        return []

    def bootstrap_commands(self, *_: Any) -> list[str]:
        return []


def requests(
    parameters: Mapping[str, Any], platform: str, nodes: int, variables: Mapping[str, str]
) -> Pair:
    """Run Metaflow from the decorator to SubmitJob.

    Parameters
    ----------
    parameters
        As written in ``@batch(...)``.
    nodes
        ``num_parallel`` of ``@parallel``; 0 without one.
    variables
        Of ``@environment``.

    Raises
    ------
    RefusedError
        The error is its cause.
    """
    with warnings.catch_warnings():
        # What its own import says of others is not what is tested here.
        warnings.simplefilter("ignore")
        importlib.import_module("metaflow.plugins.aws.batch.batch")
    recorder = Recorder(platform)
    try:
        attributes = _attributes(parameters)
        with contextlib.suppress(_SentError):
            _job(recorder, attributes, nodes, variables).execute()
        return Pair(*(validated(name, recorder.sent[name]) for name in _SENT))
    except Exception as error:
        raise RefusedError(str(error)) from error


_SENT = ("RegisterJobDefinition", "SubmitJob")


def _attributes(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the decorator does before a step, and what its command line makes of the values."""
    from metaflow.plugins.aws.aws_utils import compute_resource_attributes, validate_aws_tag
    from metaflow.plugins.aws.batch.batch_decorator import BatchDecorator, BatchException

    decorator = BatchDecorator(attributes=copy.deepcopy(dict(parameters)))
    decorator.init()
    found = decorator.attributes
    found.update(compute_resource_attributes([], decorator, decorator.resource_defaults))
    if found["tmpfs_path"] and found["tmpfs_path"][0] != "/":
        raise BatchException("'tmpfs_path' needs to be an absolute path")
    for name, value in found["aws_batch_tags"].items():
        validate_aws_tag(name, value)
    for name in ("shared_memory", "max_swap", "swappiness", "inferentia", "tmpfs_size"):
        found[name] = None if found[name] is None else str(found[name])
    for name in ("efa", "ephemeral_storage"):
        found[name] = None if found[name] is None else int(found[name])
    for name in ("host_volumes", "efs_volumes", "log_options"):
        value = found[name]
        found[name] = [value] if isinstance(value, str) else value
    return found


def _job(
    recorder: Recorder, attributes: dict[str, Any], nodes: int, variables: Mapping[str, str]
) -> Any:
    from metaflow.plugins.aws.batch.batch import Batch

    batch = object.__new__(Batch)
    batch._client = _Client(recorder)
    batch.environment = _Environment()
    batch.flow_datastore = None
    attrs = {f"metaflow.{name}": value for name, value in TASK.items()}
    own = {"executable", "queue"}
    return batch.create_job(
        "s",
        "python flow.py step s [multinode-args]",
        TASK,
        "metadata",
        "sha",
        "s3://bucket/package",
        "s3",
        queue=QUEUE,
        run_time_limit=432000,
        env=dict(variables),
        attrs={**attrs, "metaflow.user": "me", "metaflow.version": "2"},
        num_parallel=nodes,
        **{name: value for name, value in attributes.items() if name not in own},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inside) for name, inside in value.items()}
    return [_plain(inside) for inside in value] if isinstance(value, list) else value
