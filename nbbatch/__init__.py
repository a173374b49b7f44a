"""nbbatch: run a notebook cell, or a function, as an AWS Batch job, as if it had run here.

``%load_ext nbbatch``, then ``%%batch --cpu 4`` above a cell, or ``@batch(cpu=4)`` above a
function. Importing this package reads no file and loads nothing but itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbbatch.bars import progress as progress
    from nbbatch.decorators import AWSBatchConfig as AWSBatchConfig
    from nbbatch.decorators import batch as batch
    from nbbatch.decorators import catch as catch
    from nbbatch.decorators import conda as conda
    from nbbatch.decorators import environment as environment
    from nbbatch.decorators import gather as gather
    from nbbatch.decorators import parallel as parallel
    from nbbatch.decorators import pypi as pypi
    from nbbatch.decorators import resources as resources
    from nbbatch.decorators import retry as retry
    from nbbatch.decorators import secrets as secrets
    from nbbatch.decorators import timeout as timeout
    from nbbatch.errors import NbbatchError as NbbatchError
    from nbbatch.executor import BatchExecutor as BatchExecutor
    from nbbatch.futures import Job as Job
    from nbbatch.inside import current as current
    from nbbatch.monitoring import monitor as monitor
    from nbbatch.session import attach as attach
    from nbbatch.session import configure as configure
    from nbbatch.session import jobs as jobs

__version__ = "0.1.0"

__all__ = [
    "AWSBatchConfig",
    "BatchExecutor",
    "Job",
    "NbbatchError",
    "attach",
    "batch",
    "catch",
    "conda",
    "configure",
    "current",
    "environment",
    "gather",
    "jobs",
    "monitor",
    "parallel",
    "progress",
    "pypi",
    "resources",
    "retry",
    "secrets",
    "timeout",
]

#: Where each public name lives; it is imported when it is first used.
_HOMES = {
    "AWSBatchConfig": "nbbatch.decorators",
    "BatchExecutor": "nbbatch.executor",
    "Job": "nbbatch.futures",
    "NbbatchError": "nbbatch.errors",
    "attach": "nbbatch.session",
    "batch": "nbbatch.decorators",
    "catch": "nbbatch.decorators",
    "conda": "nbbatch.decorators",
    "configure": "nbbatch.session",
    "current": "nbbatch.inside",
    "environment": "nbbatch.decorators",
    "gather": "nbbatch.decorators",
    "jobs": "nbbatch.session",
    "monitor": "nbbatch.monitoring",
    "parallel": "nbbatch.decorators",
    "progress": "nbbatch.bars",
    "pypi": "nbbatch.decorators",
    "resources": "nbbatch.decorators",
    "retry": "nbbatch.decorators",
    "secrets": "nbbatch.decorators",
    "timeout": "nbbatch.decorators",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def load_ipython_extension(shell: Any) -> None:
    """Register ``%%batch`` and ``%batch``: what ``%load_ext nbbatch`` calls."""
    from nbbatch.magics import register

    register(shell)
