"""What was learnt from folders is asked for anew once one of them has changed, and not before."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nbbatch.foldercache import FolderCache


class Folders:
    """Two folders, and who counts how often it is asked what is in them."""

    def __init__(self, root: Path) -> None:
        self.paths = [root / "one", root / "two"]
        self.asked = 0
        self.cache: FolderCache[list[str]] = FolderCache()

    def look(self) -> list[str]:
        return self.cache.get("both", self._learn)

    def _learn(self) -> tuple[list[str], list[str]]:
        self.asked += 1
        found = [name for path in self.paths if path.is_dir() for name in os.listdir(path)]
        return sorted(found), list(map(str, self.paths))


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path)
    made.paths[0].mkdir()
    (made.paths[0] / "a").touch()
    age(made.paths[0], 60)
    return made


def test_what_does_not_change_is_asked_for_once(folders: Folders) -> None:
    assert [folders.look(), folders.look()] == [["a"], ["a"]]
    assert folders.asked == 1


def test_a_change_is_seen(folders: Folders) -> None:
    folders.look()
    (folders.paths[0] / "b").touch()
    assert folders.look() == ["a", "b"]


def test_a_folder_that_appears_is_seen(folders: Folders) -> None:
    folders.look()
    folders.paths[1].mkdir()
    (folders.paths[1] / "b").touch()
    age(folders.paths[1], 30)
    assert folders.look() == ["a", "b"]
    assert folders.look() == ["a", "b"]
    assert folders.asked == 2


def test_two_changes_within_a_tick_are_seen(folders: Folders) -> None:
    """The second one may leave the folder with the time of the first."""
    # However long this test takes.
    now = time.time_ns() + 10**12
    (folders.paths[0] / "b").touch()
    os.utime(folders.paths[0], ns=(now, now))
    folders.look()
    (folders.paths[0] / "c").touch()
    os.utime(folders.paths[0], ns=(now, now))
    assert folders.look() == ["a", "b", "c"]
