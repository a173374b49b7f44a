"""A job of which nobody could note what its backend calls it: it is found by its name.

A kernel may die between the start of a job and the note of its id, and the answer to the start
may be lost.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from nbbatch.backends.base import Runner, unique
from nbbatch.errors import BackendError
from nbbatch.futures.records.registry import Record, Registry

__all__ = ["located"]


def located(record: Record, runner: Runner, registry: Registry) -> Record:
    """Return the record with the backend's id, where that can be found out.

    Raises
    ------
    BackendError
        The backend can't be asked.
    """
    if record.batch_job_id or record.outcome:
        return record
    found = runner.find(record.name, unique(record.id, record.before), record.queue)
    if found is None:
        return record
    record = replace(record, batch_job_id=found)
    # It is known now, whether it can be noted or not.
    with contextlib.suppress(BackendError):
        registry.write(record)
    return record
