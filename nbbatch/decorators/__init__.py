"""`@batch`, and the decorators that stack with it, in any order.

==============  =================================================================
`function`      `@batch`, and the function that it makes
`stacking`      `@resources`, `@retry`, `@timeout`, `@catch`, ...
`packages`      `@pypi`, `@conda`
`layers`        what several decorators say together
`mapping`       `f.map`, and what it is inside a job
`gathering`     `gather`
`flyte`         `AWSBatchConfig`, the task configuration of Flyte's plugin
==============  =================================================================

Standard library only, Python 3.9 and newer, and nothing else is imported until a function is
submitted: this room travels with the worker, where decorated functions just run.
"""

from nbbatch.decorators.flyte import AWSBatchConfig
from nbbatch.decorators.function import BatchFunction, batch
from nbbatch.decorators.gathering import gather
from nbbatch.decorators.packages import conda, pypi
from nbbatch.decorators.stacking import (
    catch,
    environment,
    parallel,
    resources,
    retry,
    secrets,
    timeout,
)

__all__ = [
    "AWSBatchConfig",
    "BatchFunction",
    "batch",
    "catch",
    "conda",
    "environment",
    "gather",
    "parallel",
    "pypi",
    "resources",
    "retry",
    "secrets",
    "timeout",
]
