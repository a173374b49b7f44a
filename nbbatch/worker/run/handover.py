"""What the child is given, and what it hands to another interpreter that goes on in its place."""

from __future__ import annotations

from typing import NamedTuple

from nbbatch.worker.run.identity import Identity
from nbbatch.worker.run.values import Folders


class Handover(NamedTuple):
    """One attempt, for the process that runs its code."""

    identity: Identity
    #: Where it tells the monitor.
    descriptor: int
    #: Where what the notebook's code imports is, or goes, if any of it travelled.
    folders: Folders
    #: Whether another interpreter has begun it.
    resumed: bool = False
