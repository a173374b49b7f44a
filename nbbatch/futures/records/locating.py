"""A job of which nobody could note what its backend calls it: it is found by its name.

A kernel may die between the start of a job and the note of its id, and the answer to the start
may be lost.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from nbbatch.backends.base import Runner, Sought, unique
from nbbatch.errors import BackendError, UncertainError
from nbbatch.futures.records.registry import Record, Registry

__all__ = ["located"]


def located(record: Record, runner: Runner, registry: Registry, *, settled: bool = False) -> Record:
    """Return the record with the backend's id, where that can be found out.

    Parameters
    ----------
    settled
        Whether only an id is wanted that will stay so; only such a one is noted.

    Raises
    ------
    UncertainError
        There is none that will: whoever starts the job may still be at it.
    BackendError
        The backend can't be asked.
    """
    if record.batch_job_id or record.outcome:
        return record
    name = unique(record.id, record.before, anew=record.anew)
    found = runner.find(Sought(record.name, name, record.queue, record.children or 0))
    if found is None:
        return record
    if not found.settled:
        if settled:
            raise _unsettled(record)
        return replace(record, batch_job_id=found.id)
    record = replace(record, batch_job_id=found.id)
    # It is known now, whether it can be noted or not.
    with contextlib.suppress(BackendError):
        registry.write(record)
    return record


def _unsettled(record: Record) -> UncertainError:
    return UncertainError(
        f"job {record.id} is still being submitted, or that was interrupted",
        "of the array jobs that its children are spread over not all are there",
        "wait a minute, or cancel it: what has begun runs",
    )
