"""Sealed objects: what was sealed opens, and nothing else does."""

from __future__ import annotations

import hashlib
import random

import pytest

from nbbatch.errors import NbbatchError, SealError, WireError
from nbbatch.wire import parts
from nbbatch.wire.digest import CHUNK, digest
from nbbatch.wire.envelope import Part, Stamp, job_key, seal, unseal
from nbbatch.worker.stores.directory import DirectoryStore

KEY = job_key(b"secret", "job")


def sealed(*buffers: bytes, key: bytes = KEY) -> bytes:
    described = [Part(len(data), digest(data)) for data in buffers]
    return b"".join(seal(key, "input", "job", {"a": [1, "ü"]}, described, buffers))


def test_round_trip() -> None:
    """Meta and parts come back as they were."""
    envelope = unseal(sealed(b"first", b"", b"third"), KEY, "input", "job")

    assert envelope.meta == {"a": [1, "ü"]}
    assert [bytes(envelope.inline(i)) for i in range(3)] == [b"first", b"", b"third"]


def test_every_altered_byte_is_refused() -> None:
    """Flip any single byte, cut or append: never does altered content come out."""
    data = sealed(b"payload")
    for position in range(len(data)):
        altered = bytearray(data)
        altered[position] ^= 1
        with pytest.raises(WireError):
            unseal(altered, KEY, "input", "job").inline(0)
    for cut in (0, 3, 12, len(data) // 2, len(data) - 1):
        with pytest.raises(NbbatchError):
            unseal(data[:cut], KEY, "input", "job").inline(0)


@pytest.mark.parametrize(
    ("key", "kind", "job"),
    [
        (job_key(b"other", "job"), "input", "job"),
        (job_key(b"secret", "other"), "input", "job"),
        (KEY, "outcome", "job"),
        (KEY, "input", "other"),
    ],
)
def test_other_keys_and_places_are_refused(key: bytes, kind: str, job: str) -> None:
    """An object opens only with its key, as its kind, for its job."""
    with pytest.raises(SealError) as caught:
        unseal(sealed(b"x"), key, kind, job)

    assert caught.value.cause
    assert caught.value.hint


def test_another_version_says_so() -> None:
    """An object of another version of the format names both versions."""
    data = bytearray(sealed(b"x"))
    data[7] = 99

    with pytest.raises(WireError, match="version 99"):
        unseal(data, KEY, "input", "job")


def test_digest_is_over_chunks() -> None:
    """The content address is the hash over the hashes of 16 MiB chunks, however it is made."""
    data = random.Random(0).randbytes(1 << 16) * ((CHUNK >> 16) + 3)
    chunks = [data[i : i + CHUNK] for i in range(0, len(data), CHUNK)]
    expected = hashlib.sha256(b"".join(hashlib.sha256(c).digest() for c in chunks)).hexdigest()

    assert len(chunks) == 2
    assert digest(data) == expected


def test_large_parts_are_blobs_and_sent_once(store: DirectoryStore) -> None:
    """A large part goes to the store by content, and a second time not at all."""
    large = bytes(range(256)) * (parts.BLOB // 256)
    known: set[str] = set()
    first = b"".join(parts.pack(store, Stamp(KEY, "input", "job"), {}, [b"small", large], known))
    before = [(key, time) for key, _, time in store.list("blobs/")]
    parts.pack(store, Stamp(KEY, "input", "job"), {}, [large], set())

    envelope = unseal(first, KEY, "input", "job")

    assert len(first) < 2000
    assert bytes(parts.read(store, envelope, 1)) == large
    assert [(key, time) for key, _, time in store.list("blobs/")] == before


def test_altered_blob_is_refused(store: DirectoryStore) -> None:
    """A blob that is not what its name says is not returned."""
    large = bytes(parts.BLOB)
    data = b"".join(parts.pack(store, Stamp(KEY, "input", "job"), {}, [large], set()))
    ((key, _, _),) = store.list("blobs/")
    store.put(key, [b"\1" + large[1:]])

    with pytest.raises(SealError):
        parts.read(store, unseal(data, KEY, "input", "job"), 0)
