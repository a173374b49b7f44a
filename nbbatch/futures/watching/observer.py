"""Whoever wants to see a job."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from nbbatch.facts import JobFacts
from nbbatch.wire.frames import Frame

__all__ = ["Audience", "Observer"]

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Whoever wants to see a job; called on the watcher's thread, and must be quick."""

    def on_facts(self, facts: JobFacts) -> None:
        """Take the facts after a change."""

    def on_frames(self, frames: list[Frame]) -> None:
        """Take the next frames, in order."""


class Audience:
    """All who want to see one job.

    Parameters
    ----------
    job
        Its id.
    """

    def __init__(self, job: str) -> None:
        self._job = job
        self._observers: list[Observer] = []

    def __bool__(self) -> bool:
        """Tell whether there is anybody."""
        return bool(self._observers)

    def join(self, observer: Observer) -> None:
        """Add one."""
        self._observers.append(observer)

    def leave(self, observer: Observer) -> None:
        """Remove one, if it is there."""
        if observer in self._observers:
            self._observers.remove(observer)

    def tell(self, news: Callable[[Observer], None]) -> None:
        """Tell it to all; one that fails is told no more."""
        for observer in list(self._observers):
            try:
                news(observer)
            # Whoever only looks at a job must not be able to end it, nor to stop the watcher.
            except Exception:
                self.leave(observer)
                _log.exception("job %s goes on, and is no longer shown", self._job)
