"""A session's libraries: what its jobs need of them, and what is known of where they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.backends.base import Backend
from nbbatch.facts import JobFacts
from nbbatch.futures.job import Job
from nbbatch.options import Options
from nbbatch.wire.frames import Frame

if TYPE_CHECKING:
    from nbbatch.libraries import Librarian


class Supply:
    """Gives jobs their libraries; loads what that takes only for those that need some.

    Parameters
    ----------
    home
        nbbatch's own directory.
    """

    def __init__(self, home: Path, backend: Backend) -> None:
        self._folder = home / "cache"
        self._backend = backend

    def sent(self, wants: Mapping[str, str], options: Options) -> Mapping[str, Any]:
        """Send what a job lacks of the modules that it wants; return what it is told of them.

        Raises
        ------
        LibraryError
            Something can't be had for the place where it is to run.
        """
        if not wants:
            return {}
        target = self._backend.runner.target(options)
        if target.here:
            return {}
        librarian = self._librarian
        plan = librarian.plan(wants, librarian.known(target))
        return librarian.send(plan).meta()

    def learn(self, job: Job[Any], options: Options) -> None:
        """Remember what a job tells of the image that it runs on."""
        name = self._backend.runner.target(options).name
        job.observe(_Learner(lambda found: self._librarian.learn(name, found)))

    def settle(self) -> None:
        """Wait until nothing is done in the background for later jobs any more."""
        if "_librarian" in vars(self):
            self._librarian.settle()

    @cached_property
    def _librarian(self) -> Librarian:
        from nbbatch.libraries import Librarian

        return Librarian(self._folder, self._backend.store)


class _Learner:
    """Hears what an image has; see `nbbatch.futures.tracker.Observer`."""

    def __init__(self, learn: Callable[[Frame], None]) -> None:
        self._learn = learn

    def on_facts(self, facts: JobFacts) -> None:
        """Facts tell nothing of images."""

    def on_frames(self, frames: list[Frame]) -> None:
        """Take what the image has, if the job says it."""
        for frame in frames:
            if frame["kind"] == "image":
                self._learn(frame)
