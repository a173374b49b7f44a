"""Libraries that stay on the host: several jobs at once, and what goes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from nbbatch.errors import ImageError
from nbbatch.wire.layers import Layer, Piece
from nbbatch.worker.run import sharing
from nbbatch.worker.run.sharing import Shelf
from tests.disks import fill, small_disk


def layer(name: str) -> Layer:
    return Layer(name, "1.0", (Piece(name * 8, 1),), (name,))


def fetch(missing: list[tuple[Layer, str]]) -> None:
    for each, folder in missing:
        os.mkdir(folder)
        Path(folder, f"{each.name}.py").write_text("")


def many(root: str) -> None:
    """Use as many sites as push out all others."""
    for number in range(sharing._KEPT + 1):
        Shelf(root).site([layer(f"other{number}")], fetch)


def layers(root: Path) -> set[str]:
    """Return the names of the modules that are there."""
    return {path.stem for path in (root / "layers").glob("*/*.py")}


def let_go() -> None:
    """Hold no site any more, as jobs do that have ended."""
    for name in os.listdir("/proc/self/fd"):
        path = f"/proc/self/fd/{name}"
        if os.path.islink(path) and re.search(rf"/sites/\w+/{sharing._LOCK}", os.readlink(path)):
            os.close(int(name))


def test_what_nobody_uses_goes(tmp_path: Path) -> None:
    """The site that was not used for longest, and the layers that are in no other one."""
    os.utime(Shelf(str(tmp_path)).site([layer("first")], fetch), (1, 1))
    let_go()
    many(str(tmp_path))
    let_go()

    assert layers(tmp_path) == {f"other{number}" for number in range(sharing._KEPT + 1)}


def test_what_somebody_is_about_to_use_stays(tmp_path: Path) -> None:
    """A layer of no site's, while a site is made of it and what is still to come."""
    root = str(tmp_path)
    Shelf(root).site([layer("old")], fetch)
    let_go()
    (site,) = (tmp_path / "sites").iterdir()
    sharing._drop(str(site))

    def meanwhile(missing: list[tuple[Layer, str]]) -> None:
        many(root)
        fetch(missing)

    place = Shelf(root).site([layer("old"), layer("new")], meanwhile)
    let_go()

    assert {path.name for path in Path(place).glob("*.py")} == {"old.py", "new.py"}


def test_a_folder_that_can_hold_nothing(tmp_path: Path) -> None:
    """The error names it, and what to do without."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="/file/cache can't hold libraries") as caught:
        Shelf(str(tmp_path / "file" / "cache"))

    assert "--library-cache" in caught.value.hint


def test_a_folder_that_is_full(tmp_path: Path) -> None:
    """Nothing half done stays there."""
    with small_disk(tmp_path / "disk", 1) as disk:
        disk.chmod(0o700)
        shelf = Shelf(str(disk))
        fill(disk)
        with pytest.raises(ImageError, match="can't hold libraries") as caught:
            shelf.site([layer("first")], fetch)
        (disk / "filling").unlink()
        assert Path(shelf.site([layer("first")], fetch), "first.py").exists()
        let_go()

    assert "No space left" in caught.value.cause
