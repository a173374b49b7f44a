"""A job that was short of memory, or had the wrong libraries, starts again: in a new job of Batch.

No backend can change a job's memory between its attempts, so whoever watches the job does it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

from nbbatch.backends.base import Backend, Launch
from nbbatch.errors import UncertainError
from nbbatch.facts import Loss
from nbbatch.futures.records.locating import located
from nbbatch.futures.records.registry import Record, Registry
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.options import Options, kept, restored
from nbbatch.wire import attempts, keys

#: Seconds that another kernel, which was first, may take to start the job.
_PATIENCE = 60.0
_LOOK = 0.2

#: Gives a job, with its options, what is to be renewed.
Renew = Callable[[Record, Options, str], bool]


def wanted(record: Record, tracker: Tracker) -> bool:
    """Tell whether a job that has ended is to start again, with more memory or other libraries."""
    if renews(record, tracker):
        return True
    conditions = tuple(record.options.get("retry_on") or ())
    if tracker.failure is not None or tracker.cancelled_here or not attempts.grows(conditions):
        return False
    outcome = tracker.outcome
    short = outcome.out_of_memory if outcome is not None else False
    return (short or tracker.loss() is Loss.MEMORY) and tracker.ended_attempt < record.attempts


def renews(record: Record, tracker: Tracker) -> str:
    """Return what is to be renewed for a job that its worker has refused, once; or nothing."""
    outcome = tracker.outcome
    if outcome is None or record.away or record.before or tracker.failure or tracker.cancelled_here:
        return ""
    return outcome.renew


class Again:
    """Starts jobs again.

    Parameters
    ----------
    launch
        Builds the launch of a record's job with other options.
    renew
        Gives a job libraries that fit; tells whether it could.
    patience
        Seconds after which a kernel that was about to start a job is taken to be gone.
    """

    def __init__(
        self,
        backend: Backend,
        registry: Registry,
        launch: Callable[[Record, Options], Launch],
        renew: Renew = lambda record, options, what: False,
        patience: float = _PATIENCE,
    ) -> None:
        self._backend = backend
        self._registry = registry
        self._launch = launch
        self._renew = renew
        self._patience = patience

    def start(self, record: Record, before: int, renew: str = "") -> Record | None:
        """Start a job again after `before` attempts; never twice, whoever else watches it.

        Parameters
        ----------
        renew
            What is to be renewed for it; nothing for more memory.

        Returns
        -------
        Record or None
            Where the job goes on; None where what it needs can't be had.

        Raises
        ------
        BackendError
            It was not started.
        """
        if self._registry.cancelled(record.id):
            return None
        if renew:
            # The attempt that was refused does not count.
            larger: Options | None = restored(record.options)
            record = replace(record, attempts=record.attempts + 1)
        else:
            larger = self._backend.runner.larger(restored(record.options))
        if larger is None or (renew and not self._renew(record, larger, renew)):
            return None
        options = replace(larger, retries=record.attempts - before - 1, depends_on=None)
        asked = {**record.asked, **options.asked()}
        new = replace(record, before=before, asked=asked, options=kept(options), after=())
        claim = keys.again(record.id, before + 1)
        return self._once(claim, new, options, lambda found: found.before >= before)

    def start_anew(self, record: Record, after: tuple[str, ...]) -> Record | None:
        """Start a job anew that has not run; never twice, and not once it was cancelled.

        Parameters
        ----------
        after
            The backend's ids of the jobs that it has to wait for now.

        Raises
        ------
        BackendError
            It was not started.
        """
        if self._registry.cancelled(record.id):
            return None
        number = record.anew + 1
        new, claim = replace(record, anew=number, after=after), keys.anew(record.id, number)
        options = restored(record.options)
        return self._once(claim, new, options, lambda found: found.anew >= number)

    def _once(
        self, claim: str, new: Record, options: Options, is_done: Callable[[Record], bool]
    ) -> Record:
        """Start a job, unless another kernel does; return where it goes on.

        Parameters
        ----------
        claim
            Whoever writes it first starts the job.
        is_done
            Tells by a record whether it was started by another kernel.
        """
        new = replace(new, batch_job_id="")
        # Of one's own, so that the store can tell whose it is where an answer was lost.
        if not self._backend.store.put(claim, [os.urandom(8)], if_absent=True):
            elsewhere = self._started_elsewhere(new.id, is_done)
            if elsewhere is not None:
                return elsewhere
            # Whoever was first died over it: before the job was started, or just after.
            new = located(new, self._backend.runner, self._registry)
        if not new.batch_job_id:
            new = replace(new, batch_job_id=self._started(self._launch(new, options)))
        self._registry.write(new)
        # Whoever cancelled it just then knew nothing of this one.
        if new.batch_job_id and self._registry.cancelled(new.id):
            self._backend.runner.stop([new.batch_job_id], "nbbatch: cancelled")
        return new

    def _started(self, launch: Launch) -> str:
        try:
            return self._backend.runner.start(launch)
        except UncertainError:
            # Whoever follows the job finds out.
            return ""

    def _started_elsewhere(self, id_: str, is_done: Callable[[Record], bool]) -> Record | None:
        """Wait for the kernel that was first; None where it seems to have died over it."""
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            record = self._registry.get(id_)
            if record is not None and is_done(record):
                return record
            time.sleep(_LOOK)
        return None


def announcement(old: Record, new: Record) -> str:
    """Say that a job starts again, and with what."""
    if new.anew > old.anew:
        return "a job that it needs has started again: it waits for that one now"
    if new.attempts > old.attempts:
        return "starts again: what the image has is known now"
    had, has = (int(record.asked.get("memory") or 0) for record in (old, new))
    return f"ran out of memory with {had} MiB; starts again with {has}"
