"""Large values on the local backend: each is in the store once, whoever had it first."""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any

import pytest

from nbbatch import batch, configure
from nbbatch.session import Session, current_session
from nbbatch.wire import digest, keys
from tests.integration.conftest import Notebook

SIZE = 3 << 20


def buffer() -> Any:
    """Make large data as arrays have it: a buffer that travels apart from its object."""
    return pickle.PickleBuffer(bytearray(os.urandom(SIZE)))


def _functions() -> tuple[Any, Any, Any]:
    # Inside a function, so that they travel by value, without this module.
    @batch
    def same(data: Any) -> Any:
        import pickle

        return pickle.PickleBuffer(data)

    @batch
    def changed(data: Any) -> Any:
        import pickle

        data[-1] ^= 1
        return pickle.PickleBuffer(data)

    @batch
    def length(data: Any) -> int:
        return len(data)

    return same, changed, length


same, changed, length = _functions()


def blobs() -> list[int]:
    """Return the sizes of the large objects that are in the store."""
    return [size for _, size, _ in current_session().backend.store.list(keys.BLOBS)]


def test_unchanged_values_are_stored_once(local_session: Session) -> None:
    """Sent again, returned as it came, sent from what came back, by another session: one object."""
    data = buffer()
    back = same.submit(data).result(60)
    assert bytes(back) == bytes(data)
    assert length.submit(data).result(60) == SIZE
    assert length.submit(pickle.PickleBuffer(back)).result(60) == SIZE
    configure()
    assert current_session() is not local_session
    assert length.submit(data).result(60) == SIZE

    assert blobs() == [SIZE]


def test_changed_values_are_stored_anew(local_session: Session) -> None:
    """One other byte makes it other data, there and here."""
    data = buffer()
    back = changed.submit(data).result(60)
    assert bytes(back[:-1]) == bytes(data)[:-1]
    assert back[-1] == data.raw()[-1] ^ 1
    assert blobs() == [SIZE] * 2
    data.raw()[SIZE // 3] ^= 1
    assert length.submit(data).result(60) == SIZE

    assert blobs() == [SIZE] * 3


def test_a_large_result_is_the_callers_own(local_session: Session) -> None:
    """It can be changed, and stays when its job's objects go."""
    back = same.submit(buffer()).result(60)
    first = back[0]
    local_session.backend.store.delete([key for key, _, _ in local_session.backend.store.list("")])
    back[1] ^= 1

    assert back[0] == first
    assert not blobs()


def test_a_cell_returns_what_it_changed_of_large_values(notebook: Notebook) -> None:
    """Arrays changed in place come back, though in a single byte; others stay where they are."""
    notebook.run(f"kept, changed = bytearray({SIZE}), bytearray({SIZE})")
    notebook.run("import pickle\nkept, changed = map(pickle.PickleBuffer, (kept, changed))")
    kept, before = notebook["kept"], notebook["changed"]
    notebook.batch("changed[-1] = 7\nread = kept[0]")

    assert notebook["kept"] is kept
    assert notebook["read"] == 0
    assert notebook["changed"] is not before
    assert memoryview(notebook["changed"])[-1] == 7


@pytest.mark.skipif(sys.platform != "linux", reason="other systems use digests")
def test_the_client_makes_no_digest_of_a_large_value(
    local_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is hashed here on its way in and out is a thousandth of it."""
    sizes: list[int] = []
    original = digest.chunk_digest

    def counted(view: Any) -> bytes:
        sizes.append(memoryview(view).nbytes)
        return original(view)

    monkeypatch.setattr(digest, "chunk_digest", counted)
    monkeypatch.setattr("nbbatch.wire.parts.chunk_digest", counted)
    changed.submit(buffer()).result(60)

    assert 0 < sum(sizes) < SIZE // 100
