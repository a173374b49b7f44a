"""Layers: cut into pieces, packed, checked, unpacked in any order."""

from __future__ import annotations

import json
import os
import random
import stat
import zlib
from pathlib import Path

import pytest

from nbbatch.wire import layers
from nbbatch.wire.layers import Layer, Libraries, Piece, check, cut, late, pack, unpack


def files(**content: bytes):
    return [(name, 0o644, memoryview(data)) for name, data in content.items()]


def test_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files share a piece, a large one is in several; the order does not matter."""
    monkeypatch.setattr(layers, "PIECE", 1000)
    content = {
        "a/b/one.py": b"x = 1",
        "empty": b"",
        "exact": os.urandom(995),
        "large.so": os.urandom(3500),
        "last": b"end",
    }
    groups = list(cut((name, 0o755, memoryview(data)) for name, data in content.items()))
    packed = [pack(group) for group in groups]
    assert len(packed) > 4
    assert max(sum(chunk.data.nbytes for chunk in group) for group in groups) <= 1000
    random.Random(1).shuffle(packed)
    for piece, data in packed:
        check(data, piece)
        unpack(data, str(tmp_path))

    found = {p.relative_to(tmp_path).as_posix(): p for p in tmp_path.rglob("*") if p.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == content
    assert stat.S_IMODE(found["large.so"].stat().st_mode) & 0o700 == 0o700


def test_equal_content_has_equal_names() -> None:
    """A piece is named by what is in it, and by nothing else."""
    one, two = (pack(next(cut(files(a=b"1", b=b"2")))) for _ in range(2))
    other = pack(next(cut(files(a=b"1", b=b"3"))))

    assert one == two
    assert one[0].digest != other[0].digest
    assert not one[0].late


def test_what_was_altered_is_refused() -> None:
    """Nothing of it is unpacked."""
    piece, data = pack(next(cut(files(a=b"1"))))
    with pytest.raises(ValueError, match="not what was sealed"):
        check(data[:-1] + b"x", piece)


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "a//b", "./a", "", "a\\b", "a\0b"])
def test_names_that_lead_away(tmp_path: Path, name: str) -> None:
    """No file is written outside the folder."""
    head = zlib.compress(json.dumps([[name, 0o644, 0, 1]]).encode())
    data = b"NBL2" + len(head).to_bytes(4, "big") + head + zlib.compress(b"x")[2:-4]
    with pytest.raises(ValueError, match="not a plain name"):
        unpack(data, str(tmp_path / "in"))

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """What another piece may have left there."""
    (tmp_path / "target").write_text("untouched")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").symlink_to(tmp_path / "target")
    _, data = pack(next(cut(files(a=b"1"))))
    with pytest.raises(OSError):
        unpack(data, str(tmp_path / "in"))

    assert (tmp_path / "target").read_text() == "untouched"


def test_other_bytes_are_no_piece(tmp_path: Path) -> None:
    """The kind comes first."""
    with pytest.raises(ValueError, match="no piece"):
        unpack(b"PK" + bytes(100), str(tmp_path))


def test_what_may_come_late() -> None:
    """Tests, and what is for compilers."""
    assert [late(n) for n in ("a/tests/b.py", "a/test/b", "a/x.pxd")] == [True] * 3
    assert [late(n) for n in ("a/testing/b.py", "tests.py", "a/b.pyi", "a.so")] == [False] * 4
    # A compiler within a library reads its headers as no Python code does.
    assert [late(n) for n in ("a/include/a/b.h", "a/native/b.h")] == [True, False]


def test_the_spec_has_it() -> None:
    """What a job is told, as JSON and back; nothing for nothing."""
    layer = Layer("a", "1", (Piece("d", 5), Piece("e", 6, late=True)), ("a", "a_x"), ("b",))
    told = Libraries((layer,), "3.11", "x86_64", "glibc", {"b": "2"}, report=True)

    assert Libraries.from_meta(json.loads(json.dumps(told.meta()))) == told
    assert Libraries(python="3.11").meta() == {}
    assert layer.size == 11
