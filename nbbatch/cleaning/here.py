"""What lies on this machine alone: local jobs' folders, unpacked files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbbatch.backends.base import Backend
from nbbatch.cleaning.survey import Thing
from nbbatch.worker.boot.bundle import bundle

#: Folders of jobs that the local backend runs; of workers and libraries, unpacked for them.
_JOBS, _WORKERS, _LIBRARIES = "local", "worker", "libraries"
#: Files that were never finished: their writer died.
_PENDING = ("store/.tmp", "cache")


class Here:
    """What nbbatch keeps in its home.

    Parameters
    ----------
    before
        What was last changed before that is old: seconds since the epoch.
    known
        The jobs that have a record or an object.
    """

    def __init__(self, home: Path, backend: Backend, before: float, known: set[str]) -> None:
        self._home = home
        self._backend = backend
        self._before = before
        self._known = known

    def remove(self, gone: Iterable[str], *, dry: bool) -> tuple[int, list[Thing]]:
        """Take away what is left of jobs that are gone, and what is old; return what it was."""
        found = [*self._of_jobs(set(gone)), *self._unpacked(), *self._unfinished()]
        things = [Thing(str(path), _size(path), 0.0) for path in found]
        for path in [] if dry else found:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(things), things

    def _of_jobs(self, gone: set[str]) -> Iterator[Path]:
        """Yield the folders of local jobs that are gone, those that started them again too.

        And those of jobs that went while their supervisors had still to end.
        """
        if self._backend.name != _JOBS:
            return
        for path in _entries(self._home / _JOBS):
            # A pending one begins with a dot; one that started again ends in its attempt.
            job = "-".join(path.name.lstrip(".").split("-")[:3]).partition(".")[0]
            forgotten = job not in self._known and self._is_old(path)
            over = path.name.startswith(".") or not self._lives(path.name)
            if over and (job in gone or forgotten):
                yield path

    def _lives(self, name: str) -> bool:
        status = self._backend.runner.describe([name]).get(name)
        return status is not None and not status.state.final

    def _unpacked(self) -> Iterator[Path]:
        """Yield unpacked workers and libraries that are old, unless any local job runs."""
        jobs = [path.name for path in _entries(self._home / _JOBS) if path.name[0] != "."]
        if self._backend.name != _JOBS or any(map(self._lives, jobs)):
            return
        for path in _entries(self._home / _WORKERS):
            if path.name != bundle()[1] and self._is_old(path):
                yield path
        yield from filter(self._is_old, _entries(self._home / _LIBRARIES))

    def _unfinished(self) -> Iterator[Path]:
        for folder in _PENDING:
            for path in _entries(self._home / folder):
                unfinished = folder != "cache" or path.name.startswith(".")
                if unfinished and path.is_file() and self._is_old(path):
                    yield path

    def _is_old(self, path: Path) -> bool:
        try:
            return path.stat().st_mtime < self._before
        # It has gone meanwhile.
        except OSError:
            return False


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())
