"""Blobs that call after call needs: fetched once, and nobody sees what another one changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbbatch.errors import SealError
from nbbatch.wire import keys, parts
from nbbatch.wire.envelope import Stamp, unseal
from nbbatch.worker.run.shelf import Shelf
from nbbatch.worker.stores.directory import DirectoryStore

STAMP = Stamp(b"k" * 32, "calls", "job")
SIZE = 1 << 20


class Counting(DirectoryStore):
    """Counts the bytes that are read of blobs."""

    bytes = 0

    def read_into(self, key: str, offset: int, view: memoryview) -> None:
        self.bytes += view.nbytes
        super().read_into(key, offset, view)


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    """Give an empty store that vouches for nothing."""
    return Counting(tmp_path)


@pytest.fixture(autouse=True)
def nothing_is_open() -> Iterator[None]:
    """Prove that a shelf that is emptied leaves no file open."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    # What others had open may have been closed meanwhile.
    assert set(os.listdir("/proc/self/fd")) <= before


def envelope(store: Any, *contents: bytes) -> Any:
    pieces = parts.pack(store, STAMP, {}, contents, set())
    return unseal(b"".join(bytes(piece) for piece in pieces), *STAMP)


def emptied(shelf: Shelf) -> None:
    shelf._room = 0
    shelf._make_room(1)


@pytest.mark.parametrize("lent", [parts.LENT, SIZE], ids=["copied", "mapped"])
def test_fetched_once(store: Counting, lent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has writable bytes of its own."""
    monkeypatch.setattr(parts, "LENT", lent)
    data = os.urandom(SIZE)
    found, shelf = envelope(store, data, b"inline"), Shelf(4 * SIZE)
    first = memoryview(shelf.read(store, found, 0, lent=True))
    first[:3] = b"abc"
    second = memoryview(shelf.read(store, found, 0, lent=True))

    assert bytes(second) == data
    assert first[:3] == b"abc"
    assert store.bytes == SIZE
    assert shelf.read(store, found, 1) == b"inline"
    emptied(shelf)
    # Whoever has a view keeps it.
    assert bytes(second) == data
    del first, second


def test_the_latest_used_stay(store: Counting) -> None:
    """No more is kept than there is room for; what is larger than that, not at all."""
    contents = [os.urandom(SIZE) for _ in range(3)]
    found, shelf = envelope(store, *contents, os.urandom(3 * SIZE)), Shelf(2 * SIZE)
    for index in (0, 1, 0, 2, 0, 3, 0):
        shelf.read(store, found, index)

    assert store.bytes == 6 * SIZE
    shelf.read(store, found, 1)
    assert store.bytes == 7 * SIZE
    emptied(shelf)


def test_what_was_altered(store: Counting) -> None:
    """It is refused, and not kept."""
    found, shelf = envelope(store, os.urandom(SIZE)), Shelf(2 * SIZE)
    store.delete([keys.blob(found.parts[0].digest)])
    store.put(keys.blob(found.parts[0].digest), [os.urandom(SIZE)])
    for _ in range(2):
        with pytest.raises(SealError):
            shelf.read(store, found, 0)


def test_a_system_without_such_files(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is read each time."""
    monkeypatch.delattr(os, "memfd_create")
    data = os.urandom(SIZE)
    found, shelf = envelope(store, data), Shelf(2 * SIZE)
    for _ in range(2):
        assert bytes(shelf.read(store, found, 0)) == data

    assert store.bytes == 2 * SIZE
