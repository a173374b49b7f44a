"""The records of jobs: how they are ordered and found."""

from __future__ import annotations

from pathlib import Path

from nbbatch.futures.records.registry import Record, Registry


def record(id_: str, at: float) -> Record:
    return Record(id_, "train", "call", "file:///store", at, batch_job_id=id_)


def test_jobs_of_one_second_are_in_their_order(tmp_path: Path) -> None:
    """The end of an id is chance; the newest of a name is what a name means."""
    registry = Registry(tmp_path)
    ids = ["20260131-094500-00000002", "20260131-094500-00000003", "20260131-094500-00000001"]
    for at, id_ in enumerate(["20260131-094459-ffffffff", *ids]):
        registry.write(record(id_, float(at)))

    assert [each.id for each in registry] == [*reversed(ids), "20260131-094459-ffffffff"]
    newest = registry.find("train", "file:///store")
    assert newest is not None
    assert newest.id == ids[-1]
