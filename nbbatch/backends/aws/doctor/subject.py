"""What is examined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbbatch.backends.aws.clients import Clients
    from nbbatch.backends.aws.runner import BatchRunner
    from nbbatch.backends.aws.store import S3ClientStore
    from nbbatch.options import Options


@dataclass(frozen=True)
class Subject:
    """A backend on AWS, and what the jobs ask for that are to run there."""

    clients: Clients
    store: S3ClientStore
    runner: BatchRunner
    options: Options
