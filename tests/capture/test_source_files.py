"""An archive of source files is unpacked inside its directory, or not at all."""

from __future__ import annotations

import io
import tarfile
import zlib
from typing import TYPE_CHECKING

import pytest

from nbbatch.wire.files import pack_files, unpack

if TYPE_CHECKING:
    from pathlib import Path


def archive(*members: tarfile.TarInfo) -> bytes:
    """Make an archive of members without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for member in members:
            made.addfile(member)
    return zlib.compress(buffer.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Make one member."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "bad",
    [
        member("../outside.py"),
        member("a/../../outside.py"),
        member("a/../b.py"),
        member("/outside.py"),
        member("."),
        member("a//b.py"),
        member("link", tarfile.SYMTYPE, "/etc"),
        member("link", tarfile.LNKTYPE, "fine.py"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
        member("folder", tarfile.DIRTYPE),
    ],
    ids=lambda made: f"{made.name}-{made.type.decode()}",
)
def test_refuses(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    """A name that leads away, a link or a device is refused before anything is written."""
    target = tmp_path / "target"

    with pytest.raises(ValueError, match="not a plain file"):
        unpack(archive(member("fine.py"), bad), str(target))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"junk", zlib.compress(b"junk" * 200)])
def test_damaged(data: bytes, tmp_path: Path) -> None:
    """What is no archive is called damaged."""
    with pytest.raises(ValueError, match="damaged archive"):
        unpack(data, str(tmp_path))


def test_touches_no_file_that_exists(tmp_path: Path) -> None:
    """A file in the way is left alone, also when it is a link."""
    (tmp_path / "there.py").write_text("kept")
    (tmp_path / "target").mkdir()
    (tmp_path / "target/mine.py").symlink_to(tmp_path / "there.py")

    with pytest.raises(ValueError, match="damaged archive"):
        unpack(archive(member("mine.py")), str(tmp_path / "target"))

    assert (tmp_path / "there.py").read_text() == "kept"


def test_round_trip(tmp_path: Path) -> None:
    """Names keep their folders, contents their bytes, in any order of packing."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1" * 100_000)
    two.write_bytes(b"")
    files = [("b/c.py", str(one)), ("a.py", str(two))]

    packed = pack_files(files)
    unpack(packed, str(tmp_path / "out"))

    assert packed == pack_files(reversed(files))
    assert (tmp_path / "out/b/c.py").read_bytes() == b"1" * 100_000
    assert (tmp_path / "out/a.py").read_bytes() == b""
