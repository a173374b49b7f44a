"""A directory that vouches: what was touched in any way is not taken for what was written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nbbatch.errors import NotFoundError, SealError
from nbbatch.wire import digest, keys, parts
from nbbatch.wire.envelope import Envelope, Stamp, job_key, unseal
from nbbatch.worker.stores import vouching
from nbbatch.worker.stores.vouching import VouchingDirectory, filesystem, trusted

FOLDER = "blobs/like"
DATA = bytes(range(256)) * 5000
KEY = job_key(b"secret", "job")
STAMP = Stamp(KEY, "input", "job")


@pytest.fixture
def store(tmp_path: Path) -> VouchingDirectory:
    """Give an empty store where files tell of every change."""
    if not trusted(str(tmp_path)):
        pytest.skip("the temporary directory is on a filesystem that is not vouched for")
    return VouchingDirectory(str(tmp_path / "store"))


def path_of(store: VouchingDirectory, key: str) -> Path:
    return Path(store.root, key)


def taken(store: VouchingDirectory, key: str, voucher: str, size: int = len(DATA)) -> bytes | None:
    view = memoryview(bytearray(size))
    return bytes(view) if store.take(key, voucher, view) else None


def test_what_is_kept_comes_back(store: VouchingDirectory) -> None:
    """Its bytes come back copied or lent, and it is known to hold them."""
    key, voucher, new = store.keep(FOLDER, DATA)
    store.settle()

    assert new
    assert store.get(key) == DATA
    assert taken(store, key, voucher) == DATA
    assert bytes(store.lend(key, voucher, len(DATA))) == DATA
    assert store.holds(key, voucher, DATA)
    assert not store.holds(key, voucher, DATA[:-1] + b"x")
    assert path_of(store, key).stat().st_mode & 0o777 == 0o400


def test_the_same_bytes_are_kept_once(store: VouchingDirectory) -> None:
    """Other stores of the same place find them too; bytes that are but alike are others."""
    first = store.keep(FOLDER, DATA)
    again = VouchingDirectory(store.root).keep(FOLDER, bytearray(DATA))
    other = store.keep(FOLDER, DATA[:-1] + b"x")

    assert (again.key, again.voucher, again.new) == (first.key, first.voucher, False)
    assert other.new
    assert store.keep(FOLDER, DATA)[:2] == first[:2]
    assert [size for _, size, _ in store.list("blobs/")] == [len(DATA)] * 2


def rewritten(path: Path) -> None:
    path.write_bytes(b"x" + path.read_bytes()[1:])


def set_back(path: Path) -> None:
    facts = path.stat()
    rewritten(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def replaced(path: Path) -> None:
    facts, other = path.stat(), path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.replace(path)


def through_a_link(path: Path) -> None:
    link = path.with_name("link")
    os.link(path, link)
    rewritten(link)
    link.unlink()


def another_folder(path: Path) -> None:
    folder = path.parent.rename(path.parent.with_name("away"))
    path.parent.mkdir()
    path.write_bytes((folder / path.name).read_bytes())


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


TOUCHED: dict[str, Callable[[Path], object]] = {
    "rewritten": rewritten,
    "rewritten, its time set back": set_back,
    "replaced": replaced,
    "rewritten through another link": through_a_link,
    "in another folder of that name": another_folder,
    "truncated": lambda path: os.truncate(path, 1000),
    "truncated and grown again": lambda path: (os.truncate(path, 0), os.truncate(path, len(DATA))),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "a pipe": pipe,
}


@pytest.mark.parametrize("how", TOUCHED)
def test_what_was_touched_is_refused(store: VouchingDirectory, how: str) -> None:
    """None of the three ways to the bytes gives any, nor is the file used for the same bytes."""
    key, voucher, _ = store.keep(FOLDER, DATA)
    store.settle()
    path = path_of(store, key)
    if how != "a pipe" and not os.access(path, os.W_OK):
        path.chmod(0o600)
    TOUCHED[how](path)

    assert taken(store, key, voucher) is None
    assert store.lend(key, voucher, len(DATA)) is None
    assert not store.holds(key, voucher, DATA)


def test_a_link_is_no_object(store: VouchingDirectory) -> None:
    """A link in an object's place is not followed, even where it leads to the object."""
    key, voucher, _ = store.keep(FOLDER, DATA)
    path = path_of(store, key)
    path.with_name("elsewhere").hardlink_to(path)
    path.unlink()
    path.symlink_to(path.with_name("elsewhere"))

    with pytest.raises(FileNotFoundError):
        taken(store, key, voucher)


def test_no_write_goes_unnoticed(store: VouchingDirectory) -> None:
    """However soon after sealing a file is written to, its time is another one."""
    for number in range(50):
        key, voucher, _ = store.keep(f"{FOLDER}{number}", DATA[:4096])
        path = path_of(store, key)
        path.chmod(0o600)
        # As it is after the chmod, which a process of the same user could do beforehand.
        with path.open("r+b", buffering=0) as file:
            voucher = store._voucher(file.fileno())
            store.settle()
            file.write(b"x")

        assert taken(store, key, voucher, 4096) is None


def test_altered_while_it_is_read(
    store: VouchingDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes between the first look and the last byte is not given out."""
    key, voucher, _ = store.keep(FOLDER, DATA)
    path, read = path_of(store, key), vouching._read
    path.chmod(0o600)
    with path.open("rb") as file:
        voucher = store._voucher(file.fileno())
    store.settle()

    def reading(file: int, offset: int, view: memoryview) -> int:
        rewritten(path)
        return read(file, offset, view)

    monkeypatch.setattr(vouching, "_read", reading)

    assert taken(store, key, voucher) is None


def test_lent_memory_is_the_borrowers_own(store: VouchingDirectory) -> None:
    """It can be written to, which the file does not see, and outlives the object."""
    key, voucher, _ = store.keep(FOLDER, DATA)
    view = store.lend(key, voucher, len(DATA))
    view[0] = 99

    assert store.get(key) == DATA
    store.delete([key])
    assert (view[0], bytes(view[1:])) == (99, DATA[1:])
    with pytest.raises(FileNotFoundError):
        store.lend(key, voucher, len(DATA))


def test_a_clock_that_was_set_back(store: VouchingDirectory) -> None:
    """A file of the future is not waited for."""
    store._newest = time.time_ns() + 10**15
    store.settle()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the bytes of which digests are made."""
    sizes: list[int] = []

    def counted(view: memoryview) -> bytes:
        sizes.append(memoryview(view).nbytes)
        return chunk_digest(view)

    chunk_digest = digest.chunk_digest
    monkeypatch.setattr(digest, "chunk_digest", counted)
    monkeypatch.setattr(parts, "chunk_digest", counted)
    return sizes


def sealed(store: VouchingDirectory, *buffers: bytes, sent: set[str] | None = None) -> Envelope:
    pieces = parts.pack(store, STAMP, {}, buffers, set(), sent)
    return unseal(b"".join(map(bytes, pieces)), KEY, "input", "job")


def test_large_parts_are_not_hashed(store: VouchingDirectory, hashed: list[int]) -> None:
    """Neither on the way in, nor on the way out, nor to tell whether they were changed."""
    sent: set[str] = set()
    envelope = sealed(store, b"small", DATA, sent=sent)
    read = parts.read(store, envelope, 1)
    lent = parts.read(store, envelope, 1, lent=True)

    assert bytes(read) == bytes(lent) == DATA
    assert parts.holds(store, envelope.parts[1], read)
    read[-1] ^= 1
    assert not parts.holds(store, envelope.parts[1], read)
    assert hashed == [5]
    assert [keys.blob(name) for name in sent] == [key for key, _, _ in store.list("blobs/")]
    assert sealed(store, DATA, sent=sent).parts[0].digest in sent
    assert len(sent) == 1


def test_only_what_is_very_large_is_lent(
    store: VouchingDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mapping takes a file descriptor; and without one there is a copy."""
    lent: list[int] = []

    def lend(self: VouchingDirectory, key: str, voucher: str, size: int) -> memoryview:
        lent.append(size)
        raise OSError(24, "too many open files")

    monkeypatch.setattr(VouchingDirectory, "lend", lend)
    envelope = sealed(store, DATA)
    assert bytes(parts.read(store, envelope, 0, lent=True)) == DATA
    assert not lent
    monkeypatch.setattr(parts, "LENT", len(DATA))
    assert bytes(parts.read(store, envelope, 0)) == DATA
    assert not lent
    assert bytes(parts.read(store, envelope, 0, lent=True)) == DATA
    assert lent == [len(DATA)]


def test_refusals_of_parts(store: VouchingDirectory) -> None:
    """A part that was touched is refused, one that was deleted is gone; each in three parts."""
    envelope = sealed(store, DATA)
    path = path_of(store, keys.blob(envelope.parts[0].digest))
    path.chmod(0o600)
    with pytest.raises(SealError) as refused:
        parts.read(store, envelope, 0)
    path.unlink()
    with pytest.raises(NotFoundError) as gone:
        parts.read(store, envelope, 0, lent=True)

    for error in (refused.value, gone.value):
        assert error.what
        assert error.cause
        assert error.hint


def test_a_place_that_does_not_vouch(
    store: VouchingDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There parts are named by digests, and what was vouched for elsewhere is refused."""
    vouched = sealed(store, DATA)
    monkeypatch.setattr(vouching, "_FILESYSTEMS", frozenset())
    plain = VouchingDirectory(store.root)
    envelope = sealed(plain, DATA)

    assert envelope.parts[0].digest == digest.digest(DATA)
    assert not envelope.parts[0].voucher
    assert bytes(parts.read(plain, envelope, 0)) == DATA
    with pytest.raises(SealError):
        parts.read(plain, vouched, 0)


def test_a_place_with_coarse_times(
    store: VouchingDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file's time counts whole seconds nothing is vouched for, and nothing is left."""
    monkeypatch.setattr(vouching, "_COARSE", 1)

    assert store.keep(FOLDER, DATA) is None
    assert not list(store.list())


def test_the_filesystem_of_a_place() -> None:
    """The mount that counts is the innermost one, and of several on one place the last."""
    mounts = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /home rw - nfs4 server:/home rw,vers=4.2
31 30 8:2 / /home/me/my\\040disk rw shared:2 master:3 - xfs /dev/sdb rw
32 22 0:31 / /tmp rw - tmpfs tmpfs rw
33 22 0:32 / /tmp rw - fuse.sshfs host:/ rw
"""
    found = {
        path: filesystem(mounts, path)
        for path in ("/", "/homework", "/home", "/home/me", "/home/me/my disk/store", "/tmp/x")
    }

    assert list(found.values()) == ["ext4", "ext4", "nfs4", "nfs4", "xfs", "fuse.sshfs"]
    assert filesystem("", "/") == ""
