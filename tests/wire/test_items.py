"""What the children of an array get: packed, and read range by range."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbbatch.errors import NotFoundError, SealError
from nbbatch.wire import items, keys, parts
from nbbatch.wire.envelope import job_key
from nbbatch.wire.items import Portion
from nbbatch.worker.stores.directory import DirectoryStore

JOB = "20260101-000000-0123abcd"
KEY = job_key(bytes(range(32)), JOB)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """Open a store that holds what three children get."""
    found = DirectoryStore(str(tmp_path))
    large = bytes(2 << 20)
    portions = [Portion({"n": n}, [b"own %d" % n, large]) for n in range(3)]
    sent: set[str] = set()
    made = [
        items.sealed(found, items.stamp(KEY, JOB, child), portion, set(), sent)
        for child, portion in enumerate(portions)
    ]
    sizes = [sum(len(piece) for piece in each) for each in made]
    found.put(keys.items(JOB), [items.table(sizes), *(piece for each in made for piece in each)])
    assert len(sent) == 1
    return found


def test_each_reads_its_own(store: DirectoryStore) -> None:
    """A large buffer that all get is there once, and not in the object."""
    for child in range(3):
        envelope = items.read(store, KEY, JOB, child)
        assert envelope.meta == {"n": child}
        assert bytes(parts.read(store, envelope, 0)) == b"own %d" % child
        assert len(parts.read(store, envelope, 1)) == 2 << 20
    assert (store.size(keys.items(JOB)) or 0) < 4000


def test_what_is_moved_or_cut_is_refused(store: DirectoryStore) -> None:
    """Ranges that point to another child's, and a shorter object."""
    data = bytearray(store.get(keys.items(JOB)) or b"")
    data[:16], data[16:32] = data[16:32], data[:16]
    store.put(keys.items(JOB), [bytes(data)])
    with pytest.raises(SealError):
        items.read(store, KEY, JOB, 0)
    assert items.read(store, KEY, JOB, 2).meta == {"n": 2}
    store.put(keys.items(JOB), [bytes(data[:100])])
    with pytest.raises(NotFoundError):
        items.read(store, KEY, JOB, 2)
    store.delete([keys.items(JOB)])
    with pytest.raises(NotFoundError):
        items.read(store, KEY, JOB, 2)
