"""What every backend's store does, seen from the client."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nbbatch.worker.stores import pieces

ODD = [
    "a b/c d",
    "ü/日本/🐟",
    "a+b/100%/x&y=z;?#",
    "dots../..x/.hidden",
    "quo'te\"/<tag>",
    "x" * 200,
]


@pytest.fixture
def store(backend):
    return backend.store


def read(store, key, offset, size):
    view = memoryview(bytearray(size))
    store.read_into(key, offset, view)
    return bytes(view)


def test_pieces_are_joined(store):
    """An object is the concatenation of its pieces, whatever buffers they are."""
    assert store.put("jobs/j/input", [b"one", bytearray(b"two"), memoryview(b"<3>")[1:2], b""])
    assert store.get("jobs/j/input") == b"onetwo3"
    assert store.size("jobs/j/input") == 7


def test_an_object_is_replaced_whole(store):
    """A second write takes the place of the first."""
    store.put("k", [b"long " * 100])
    assert store.put("k", [b"short"])
    assert store.get("k") == b"short"


def test_an_empty_object_exists(store):
    """No bytes are not the same as no object."""
    store.put("empty", [])
    assert store.get("empty") == b""
    assert store.size("empty") == 0


def test_what_is_missing(store):
    """A missing object is None, an error to read from, and nothing to delete."""
    assert store.get("no/such") is None
    assert store.size("no/such") is None
    with pytest.raises(FileNotFoundError):
        read(store, "no/such", 0, 1)
    store.delete(["no/such", "none"])


def test_reading_beyond_the_end(store):
    """An object that ends before the view is full is an error, not zeros."""
    store.put("k", [b"0123456789"])
    assert read(store, "k", 7, 3) == b"789"
    with pytest.raises(FileNotFoundError):
        read(store, "k", 7, 4)


def test_listing(store):
    """A listing has keys, sizes and times of what starts with the prefix, and nothing else."""
    before = time.time()
    for key, size in {"jobs/a/1": 1, "jobs/a/2": 2, "jobs/ab/1": 0, "blobs/1": 0}.items():
        store.put(key, [bytes(size)])
    listed = list(store.list("jobs/a/"))
    assert [(key, size) for key, size, _ in listed] == [("jobs/a/1", 1), ("jobs/a/2", 2)]
    assert all(abs(at - before) < 3600 for _, _, at in listed)
    assert [key for key, _, _ in store.list("jobs/a")] == ["jobs/a/1", "jobs/a/2", "jobs/ab/1"]
    assert list(store.list("nothing/")) == []


def test_deleting(store):
    """What is deleted is gone, what is not stays, and a generator of keys will do."""
    for number in range(5):
        store.put(f"jobs/a/{number}", [b"x"])
    store.delete(f"jobs/a/{number}" for number in range(4))
    assert [key for key, _, _ in store.list("jobs/")] == ["jobs/a/4"]
    assert store.get("jobs/a/0") is None


def test_more_keys_than_one_page(store, monkeypatch):
    """Listing and deleting go beyond what one call of S3 takes: here not 1,000 objects, but 10."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    monkeypatch.setattr("nbbatch.backends.aws.store._DELETE", 10)
    wanted = [f"many/{number:04d}" for number in range(25)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda key: store.put(key, [b""]), wanted))
    assert [key for key, _, _ in store.list("many/")] == wanted
    store.delete(wanted)
    assert list(store.list("many/")) == []


@pytest.mark.parametrize("key", ODD, ids=range(len(ODD)))
def test_odd_keys(store, key):
    """Spaces, other alphabets and what URLs escape are kept in keys."""
    store.put(key, [key.encode()])
    assert store.get(key) == key.encode()
    assert read(store, key, 0, 1) == key.encode()[:1]
    assert [found for found, _, _ in store.list("")] == [key]
    store.delete([key])
    assert store.size(key) is None


def test_if_absent_keeps_the_first(store):
    """With `if_absent` the first write stays."""
    assert store.put("claim", [b"first"], if_absent=True)
    assert not store.put("claim", [b"second"], if_absent=True)
    assert store.get("claim") == b"first"


RACER = """
me = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
print(backend.store.put("claim", [me.encode()], if_absent=True), flush=True)
"""


def test_one_process_wins_the_claim(rig):
    """Of many processes that write an object if it is absent, exactly one is told that it did."""
    racers = [rig.elsewhere(RACER, f"racer {number}") for number in range(4)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.communicate()[0] for racer in racers]
    winners = [number for number, answer in enumerate(answers) if answer == "True\n"]
    assert sorted(answers) == ["False\n"] * 3 + ["True\n"]
    assert rig.backend.store.get("claim") == f"racer {winners[0]}".encode()


LARGE = """
import resource
size = 150 << 20
data = bytearray(size)
data[:8] = b"<begins>"
data[-6:] = b"<ends>"
view = memoryview(data)
store = backend.store
store.put("warm", [b"x" * 10])
store.read_into("warm", 0, memoryview(bytearray(10)))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
before = peak()
assert store.put("large", [view[:7], view[7 : 100 << 20], view[100 << 20 :]])
assert store.size("large") == size
data[:8] = bytes(8)
data[-6:] = bytes(6)
store.read_into("large", 0, view)
assert bytes(data[:8]) == b"<begins>" and bytes(data[-6:]) == b"<ends>"
print((peak() - before) >> 20)
"""


def test_large_objects_are_not_copied(rig):
    """150 MiB go in and out, and the process never holds a second copy of them."""
    answer, _ = rig.elsewhere(LARGE).communicate()
    assert int(answer) < 110


def test_reading_in_threads(store):
    """Several threads read parts of one object at once."""
    data = bytes(range(256)) * 4096
    store.put("k", [data])
    target = memoryview(bytearray(len(data)))
    step = len(data) // 8
    threads = [
        threading.Thread(target=store.read_into, args=("k", at, target[at : at + step]))
        for at in range(0, len(data), step)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bytes(target) == data


OPENER = """
import os
from nbbatch.worker.stores import open_store
print(open_store(os.environ | dict(backend.store.environment())).get("from/client"))
"""


def test_the_job_opens_the_same_store(rig):
    """What the client wrote is what the worker reads, given no more than `environment`."""
    rig.backend.store.put("from/client", [b"hello"])
    assert rig.elsewhere(OPENER).communicate()[0] == "b'hello'\n"


def test_reliable(store, monkeypatch):
    """What is there, of that size, and young, need not be sent; what is old is sent again."""
    store.put("a/b", [b"content"])

    assert store.reliable("a/b", 7)
    assert not store.reliable("a/b", 8)
    assert not store.reliable("a/c", 7)
    assert not store.reliable("a/b/c", 7)
    monkeypatch.setattr(pieces, "RELIABLE", -1.0)
    assert not store.reliable("a/b", 7)
