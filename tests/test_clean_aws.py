"""`nbbatch clean` on S3 and Batch: the same, over listings in pages and another account's words."""

from __future__ import annotations

import itertools
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch
from nbbatch.backends.aws import store as store_module
from nbbatch.cleaning import cleaner, ends
from nbbatch.session import current_session
from nbbatch.tidying import tidied
from nbbatch.wire import keys

sys.path.insert(0, str(Path(__file__).parent / "backends"))

import aws_rig  # noqa: E402 found beside the backends' own tests

LARGE = 2 << 20
DAY = 86400.0


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[aws_rig.Rig]:
    """Give an account of the test's own, 40 days before it is cleaned."""
    with aws_rig.aws_rig(tmp_path) as opened:
        monkeypatch.setenv("NBBATCH_HOME", str(tmp_path / "home"))
        root = f"s3://{opened.bucket}/root"
        nbbatch.configure(backend="aws", s3_root=root, queue="queue", iam_role=aws_rig.ROLE)
        clock = types.SimpleNamespace(time=lambda: time.time() + 40 * DAY)
        monkeypatch.setattr(cleaner, "time", clock)
        monkeypatch.setattr(ends, "time", clock)
        yield opened


def _function() -> Any:
    # Inside a function, so that it travels by value, without this module.
    @batch
    def grow(data: Any, *, size: int = LARGE) -> bytearray:
        return bytearray(size)

    return grow


grow = _function()


def ended(rig: aws_rig.Rig) -> None:
    """Wait until nothing runs any more: a result is there before the last words of its job."""
    deadline = time.monotonic() + 60
    while not {job.status for job in rig.batch.jobs.values()} <= {"SUCCEEDED", "FAILED"}:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kinds() -> dict[str, int]:
    """Count the objects of the store by their kinds."""
    listed = current_session().backend.store.list("")
    grouped = itertools.groupby(sorted(key.partition("/")[0] for key, _, _ in listed))
    return {kind: len(list(each)) for kind, each in grouped}


def test_what_is_over_goes_and_what_waits_stays(rig: aws_rig.Rig) -> None:
    """A job that has been in its queue for 40 days runs, on what it was sent then."""
    data = bytearray(b"x" * LARGE)
    over = grow.options(cache=True).submit(bytearray(LARGE))
    assert len(over.result(60)) == LARGE
    array = grow.map([1, 2, 3], size=10)
    array.result(60)
    ended(rig)
    rig.batch.place.capacity.clear()
    waits = grow.submit(data)
    said = tidied([], "nbbatch clean")
    left = kinds()
    rig.batch.place.capacity.set()

    assert "removed: 2 jobs" in said
    assert "jobs that stay: 1 that have not ended" in said
    assert left == {"blobs": 1, "jobs": 1, "records": 1, "worker": 1}
    assert len(waits.result(60)) == LARGE
    ended(rig)
    tidied([], "nbbatch clean")
    assert kinds() == {"worker": 1}


def test_another_machine_knows_what_runs(rig: aws_rig.Rig, tmp_path: Path) -> None:
    """It finds this user's jobs in the store, and asks Batch about them."""
    first = current_session()
    over = grow.submit(1, size=10)
    over.result(60)
    ended(rig)
    rig.batch.place.capacity.clear()
    waits = grow.submit(1, size=10)
    other = tmp_path / "other"
    other.mkdir()
    (other / "secret").write_bytes((first.settings.home / "secret").read_bytes())
    nbbatch.configure(home=str(other))
    said = tidied([], "nbbatch clean")
    rig.batch.place.capacity.set()

    assert current_session() is not first
    assert "removed: 1 job," in said
    assert "1 that have not ended" in said
    assert len(waits.result(60)) == 10


def test_many_objects(rig: aws_rig.Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a delete takes at once."""
    monkeypatch.setattr(store_module, "_DELETE", 4)
    store = current_session().backend.store
    job = keys.new_job_id()
    for number in range(9):
        store.put(keys.frames(job, 1, number), [b"x" * 120])
    said = tidied([], "nbbatch clean")

    assert "removed: 1 job, 1 kB" in said
    assert kinds() == {}
