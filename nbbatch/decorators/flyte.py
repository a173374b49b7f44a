"""`AWSBatchConfig`: the task configuration of Flyte's plugin for AWS Batch, taken as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional

from nbbatch.errors import OptionError, describe_type

__all__ = ["AWSBatchConfig", "unfolded"]


class _Unsaid(str):
    """A default of Flyte's, which nobody asked for."""

    __slots__ = ()


_EC2 = _Unsaid("EC2")


@dataclass(frozen=True)
class AWSBatchConfig:
    """Five settings of a job, under the names that Flyte's plugin gives them.

    ``@batch(AWSBatchConfig(...), cpu=4)`` or ``@batch(task_config=AWSBatchConfig(...))``; an
    option that is said beside it wins. Each is an option of its own, too, in snake_case.

    Attributes
    ----------
    schedulingPriority
        Of the job; sent as ``schedulingPriorityOverride``, which Batch heeds.
    platformCapabilities
        ``"EC2"`` or ``"FARGATE"``: asked for, the queue must be of that kind. Left out, it is
        Flyte's ``"EC2"`` to read, and the job runs on what the queue is.

    References
    ----------
    https://docs.flyte.org/en/latest/flytesnacks/examples/aws_batch_plugin/index.html
    """

    parameters: Optional[Dict[str, str]] = None
    schedulingPriority: Optional[int] = None  # noqa: N815 - Flyte's own names
    platformCapabilities: str = _EC2  # noqa: N815
    propagateTags: Optional[bool] = None  # noqa: N815
    tags: Optional[Dict[str, str]] = None

    def options(self) -> Dict[str, Any]:
        """Return what it says, by the names of the options."""
        capabilities = self.platformCapabilities
        said = {
            "parameters": self.parameters,
            "scheduling_priority": self.schedulingPriority,
            "platform_capabilities": None if isinstance(capabilities, _Unsaid) else capabilities,
            "propagate_tags": self.propagateTags,
            "tags": self.tags,
        }
        return {name: value for name, value in said.items() if value is not None}


def unfolded(config: object, options: Dict[str, Any]) -> Dict[str, Any]:
    """Return options with what a configuration beside them says.

    Parameters
    ----------
    config
        Given without a name; ``task_config`` among the options is the same.

    Raises
    ------
    OptionError
        It is something else, or given both ways.
    """
    options = dict(options)
    named = options.pop("task_config", None)
    found = config if named is None else named
    if found is None:
        return options
    if not isinstance(found, AWSBatchConfig) or (config is not None and named is not None):
        raise OptionError(
            "task_config can't be used",
            f"it takes one AWSBatchConfig, not {describe_type(found)}"
            if not isinstance(found, AWSBatchConfig)
            else "it is given twice",
            "@batch(AWSBatchConfig(schedulingPriority=10), cpu=4)",
        )
    return {**found.options(), **options}
