"""What a job keeps: whole or not at all, sealed, and no more of it than two saves."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbbatch.errors import NotPicklableError, SealError, UsageError
from nbbatch.wire import folders, keys
from nbbatch.wire.checkpoints import Checkpoints, Owner, names, pack_value, unpack_value
from nbbatch.worker.stores.directory import DirectoryStore

JOB, KEY = "20260101-000000-0123abcd", b"k" * 32
LARGE = 1 << 18


class Store(DirectoryStore):
    """Notes what is written, and fails on request."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.written: list[tuple[str, int]] = []
        self.fails = ""

    def put(self, key: str, pieces: Any, *, if_absent: bool = False) -> bool:
        if self.fails and key.endswith(self.fails):
            raise OSError(28, "No space left on device")
        self.written.append((key, sum(memoryview(piece).nbytes for piece in pieces)))
        return super().put(key, pieces, if_absent=if_absent)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def attempt(store: Store, number: int = 1, job: str = JOB, key: bytes = KEY) -> Checkpoints:
    return Checkpoints(store, Owner(job, key, f"node0-{number}", "node0-"))


def save(kept: Checkpoints, value: Any, name: str = "model") -> None:
    kept.save(name, pack_value(value, name))


def load(kept: Checkpoints, name: str = "model") -> Any:
    found = kept.load(name)
    return None if found is None else unpack_value(found, name)


def large(number: float) -> Any:
    return np.full(LARGE, number)


def test_the_next_attempt_has_what_the_last_one_kept(store: Store) -> None:
    """A value comes back as it was, in arrays that can be written; under another name none does."""
    save(attempt(store), {"epoch": 3, "weights": large(1), "small": np.arange(9)})
    found = load(attempt(store, 2))

    assert found["epoch"] == 3
    assert (found["weights"] == 1).all()
    assert found["weights"].flags.writeable
    assert load(attempt(store, 2), "other") is None


def test_a_save_that_is_cut_off_leaves_the_one_before(store: Store) -> None:
    """Wherever a save ends early, the checkpoint before it is whole."""
    kept = attempt(store)
    save(kept, [large(1), large(2)])
    for place in ("-2", "-3", "head"):
        store.fails = place
        with pytest.raises(OSError, match="No space"):
            save(kept, [large(3), large(4)])
        assert [array[0] for array in load(attempt(store, 2))] == [1, 2]
    store.fails = ""
    save(kept, [large(3), large(4)])

    assert [array[0] for array in load(attempt(store, 2))] == [3, 4]


def test_unchanged_buffers_are_not_written_again(store: Store) -> None:
    """Of a later save, also in the next attempt, only what is new is written."""
    kept, same = attempt(store), large(1)
    save(kept, {"same": same, "n": 0})
    store.written.clear()
    save(kept, {"same": same, "n": 1})
    save(attempt(store, 2), {"same": same, "n": 2})

    assert [key.rpartition("/")[2] for key, _ in store.written] == ["head", "head"]
    assert load(attempt(store, 3))["n"] == 2


def test_saves_take_the_room_of_two(store: Store) -> None:
    """However often something large is saved, the store does not fill up."""
    kept = attempt(store)
    for number in range(6):
        save(kept, large(number))
    sizes = [size for _, size, _ in store.list(f"jobs/{JOB}/files/")]

    assert sum(sizes) < 2.1 * large(0).nbytes
    assert load(kept)[0] == 5


def test_what_a_live_writer_wrote_is_not_relied_on(store: Store) -> None:
    """Two nodes that save under one name don't write over what the other one's save needs."""
    first = attempt(store)
    second = Checkpoints(store, Owner(JOB, KEY, "node10-1", "node10-"))
    save(first, large(1))
    save(second, large(1))
    save(first, large(2))
    save(first, large(3))
    save(second, large(1))

    assert load(first)[0] == 1


@pytest.mark.parametrize("other", ["another job's", "another name's", "another key's"])
def test_one_checkpoint_is_not_taken_for_another(store: Store, other: str) -> None:
    """The seal says whose it is and what it is called; nothing of another one is unpickled."""
    job = "20260101-000000-ffffffff" if other == "another job's" else JOB
    name = "other" if other == "another name's" else "model"
    key = b"x" * 32 if other == "another key's" else KEY
    save(attempt(store, job=job, key=key), "not to be seen", name)
    forged = store.get(keys.file(job, f"{name}/head"))
    assert forged is not None
    store.put(keys.file(JOB, "model/head"), [forged])

    with pytest.raises(SealError):
        attempt(store, 2).load("model")


def test_an_altered_buffer_is_refused(store: Store) -> None:
    """Large parts are checked too before anything is unpickled."""
    save(attempt(store), large(1))
    store.put(keys.file(JOB, "model/node0-1-0"), [bytes(large(0).nbytes)])

    with pytest.raises(SealError):
        attempt(store, 2).load("model")


def test_many_threads(store: Store) -> None:
    """Whoever comes last wins, whole."""
    kept = attempt(store)
    threads = [threading.Thread(target=save, args=(kept, [n, large(n)])) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    number, array = load(attempt(store, 2))

    assert (array == number).all()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "x" * 101, 7])
def test_names(store: Store, name: Any) -> None:
    """A name that could lead elsewhere in the store is refused before anything is written."""
    with pytest.raises(UsageError, match="can't be called"):
        save(attempt(store), 1, name)
    assert store.written == []


def test_what_does_not_pickle(store: Store) -> None:
    """The error names the part at fault."""
    with pytest.raises(NotPicklableError) as caught:
        save(attempt(store), {"lock": threading.Lock()})
    assert "model['lock']" in caught.value.cause


def test_files(store: Store, tmp_path: Path) -> None:
    """A folder comes back with its files and modes; a large file that is the same is kept once."""
    run = tmp_path / "run"
    (run / "deep").mkdir(parents=True)
    (run / "deep" / "large").write_bytes(b"x" * (2 << 20))
    (run / "tool").write_text("#!/bin/sh")
    (run / "tool").chmod(0o755)
    (run / "empty").touch()
    kept = attempt(store)
    kept.save("run", folders.pack(str(run), "run"))
    store.written.clear()
    (run / "tool").write_text("changed")
    kept.save("run", folders.pack(str(run), "run"))
    found = attempt(store, 2).load("run")
    assert found is not None
    there = tmp_path / "there"
    (there / "deep").mkdir(parents=True)
    (there / "deep" / "own").touch()
    folders.unpack(found, str(there), "run")

    assert [key.rpartition("/")[2] for key, _ in store.written] == ["head"]
    files = sorted(str(p.relative_to(there)) for p in there.rglob("*") if p.is_file())
    assert files == ["deep/large", "deep/own", "empty", "tool"]
    assert (there / "tool").read_text() == "changed"
    assert (there / "tool").stat().st_mode & 0o777 == 0o755
    with pytest.raises(UsageError, match="can't be loaded as a value"):
        unpack_value(found, "run")


def test_one_file(store: Store, tmp_path: Path) -> None:
    """A file comes back under the name that is asked for; a value is no file."""
    (tmp_path / "model.pt").write_text("weights")
    kept = attempt(store)
    kept.save("file", folders.pack(str(tmp_path / "model.pt"), "file"))
    found = kept.load("file")
    assert found is not None
    folders.unpack(found, str(tmp_path / "new" / "other.pt"), "file")

    assert (tmp_path / "new" / "other.pt").read_text() == "weights"
    with pytest.raises(UsageError, match="no files"):
        folders.unpack(pack_value(1, "value"), str(tmp_path), "value")
    with pytest.raises(UsageError, match="there is no file"):
        folders.pack(str(tmp_path / "none"), "file")


def test_names_among_keys() -> None:
    """The names are those of the heads, without the buffers."""
    found = [keys.file(JOB, path) for path in ("b/head", "b/node0-1-0", "a/head", "c/node0-1-0")]

    assert names(found, JOB) == ["a", "b"]
