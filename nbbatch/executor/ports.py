"""What a pool needs of others: who starts workers, who shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from nbbatch.executor.member import Member, Tell, Took
from nbbatch.wire.graph import Graph

__all__ = ["Changed", "Starter", "unseen"]


class Starter(Protocol):
    """Starts workers."""

    #: The backend's name.
    backend: str

    def covers(self, graph: Graph) -> bool:
        """Tell whether the workers that are started now have all that a call needs."""

    def extend(self, graphs: Sequence[Graph]) -> None:
        """Have those that are started from now on cover these calls too."""

    def start(self, tell: Tell, took: Took) -> Member:
        """Start a worker."""


#: Takes the workers that there are.
Changed = Callable[[list[Member]], None]


def unseen(members: list[Member]) -> None:
    """Show nothing."""
