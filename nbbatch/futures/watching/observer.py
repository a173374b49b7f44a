"""Whoever wants to see a job."""

from __future__ import annotations

from typing import Protocol

from nbbatch.facts import JobFacts
from nbbatch.wire.frames import Frame

__all__ = ["Observer"]


class Observer(Protocol):
    """Whoever wants to see a job; called on the watcher's thread, and must be quick."""

    def on_facts(self, facts: JobFacts) -> None:
        """Take the facts after a change."""

    def on_frames(self, frames: list[Frame]) -> None:
        """Take the next frames, in order."""
