"""`BatchExecutor` on AWS Batch: what it costs in calls, counted at the wire."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbbatch import BatchExecutor
from nbbatch.wire import parts
from tests.executor.stages import eventually, until
from tests.test_counts import Wire, aws_rig, buffer, new_session

pytestmark = pytest.mark.thorough


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    """Give an AWS account of the test's own to this process, and count what is sent to it."""
    with aws_rig.aws_rig(tmp_path) as rig:
        os.environ["NBBATCH_HOME"] = str(tmp_path / "home")
        yield new_session(rig)


def test_calls_of_an_executor(wire: Wire) -> None:
    """A job for each worker; a write and a read for calls that go together, not for each."""
    with BatchExecutor(1) as executor:
        assert executor.submit(pow, 2, 3).result(60) == 8
        wire.sent.clear()
        assert list(executor.map(abs, range(-500, 0))) == list(range(500, 0, -1))
        sent = wire.calls()

        assert sent["SubmitJob"] == 0
        assert sent["PutObject"] <= 30
        assert wire.reads("/returned/") <= 30
        wire.sent.clear()
    # It is told that nothing more comes.
    assert wire.calls()["PutObject"] == 1
    assert wire.calls()["TerminateJob"] == 0


@pytest.mark.parametrize("size", [3 << 20, 200 << 10], ids=["blob", "small"])
def test_large_arguments_travel_once(wire: Wire, size: int, monkeypatch: Any) -> None:
    """The same object in many calls is hashed and sent once, and read once by each worker."""

    def first(data: Any, n: int) -> int:
        found = memoryview(data)[n]
        # What a call does with its own no other one sees.
        memoryview(data)[n : n + 1] = bytes(1)
        return int(found)

    hashed = count_hashed(monkeypatch, size)
    data = buffer(size)
    with BatchExecutor(2) as executor:
        # The first two begin the workers; what is small becomes a blob when it comes again.
        calls = [executor.submit(first, data, n) for n in range(30)]
        assert [call.result(60) for call in calls] == [data.raw()[n] for n in range(30)]

    assert wire.uploaded() < 3 * size + (1 << 20)
    assert wire.reads("/blobs/") <= 2
    assert len(hashed) <= 3


def count_hashed(monkeypatch: Any, size: int) -> list[int]:
    """Note each time that this process hashes something of a size."""
    hashed = []

    def digest(data: Any) -> str:
        if memoryview(data).nbytes == size:
            hashed.append(size)
        return str(unwatched(data))

    unwatched = parts.digest
    monkeypatch.setattr(parts, "digest", digest)
    return hashed


def test_a_worker_that_stands_in_the_queue(wire: Wire, tmp_path: Path) -> None:
    """What it was given is made by another one that is free before it has begun."""
    capacity = wire.rig.batch.place.capacity
    executor = BatchExecutor(2)
    first = executor.submit(until, tmp_path / "go", 1)
    eventually(lambda: first.job and first.job.running())
    capacity.clear()
    second = executor.submit(pow, 2, 3)
    eventually(lambda: second.job)
    queued = second.job
    (tmp_path / "go").touch()

    assert (first.result(60), second.result(60)) == (1, 8)
    assert second.job is first.job is not queued
    executor.terminate_workers()
    capacity.set()
    executor.shutdown()


def test_a_worker_that_never_began(wire: Wire) -> None:
    """Nothing of it is left in the queue when its calls are cancelled."""
    wire.rig.batch.place.capacity.clear()
    executor = BatchExecutor(1)
    call = executor.submit(pow, 2, 3)
    executor.terminate_workers()
    wire.rig.batch.place.capacity.set()
    executor.shutdown()

    assert call.cancelled() or call.exception(60) is not None
