"""What a job says of the image that it runs on."""

from __future__ import annotations

from collections.abc import Callable

from nbbatch.wire.frames import Frame

__all__ = ["Learner"]


class Learner:
    """Hears what an image has; see `nbbatch.futures.watching.observer.Observer`."""

    def __init__(self, learn: Callable[[Frame], None]) -> None:
        self._learn = learn

    def on_facts(self, facts: object) -> None:
        """Facts tell nothing of images."""

    def on_frames(self, frames: list[Frame]) -> None:
        """Take what the image has, if the job says it."""
        for frame in frames:
            if frame["kind"] == "image":
                self._learn(frame)
