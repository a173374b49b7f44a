"""Starts the worker: claim, check, fork, watch."""

from __future__ import annotations

import os
import sys
from typing import Optional

from nbbatch.errors import NbbatchError
from nbbatch.wire import envelope, keys, spec
from nbbatch.wire.spec import JobSpec, Outcome
from nbbatch.wire.store import ListingStore, Store
from nbbatch.worker.run import child, report, values
from nbbatch.worker.run.handover import Handover
from nbbatch.worker.run.identity import Identity, take_identity
from nbbatch.worker.run.monitor import Monitor
from nbbatch.worker.stores import open_store


def main() -> int:
    """Run the job that the environment names and return the exit code."""
    if len(sys.argv) > 1:
        return _go_on()
    identity = take_identity(os.environ)
    store = open_store(os.environ)
    try:
        if not _claim(store, identity):
            report.tell(f"attempt {identity.attempt} of {identity.job} runs elsewhere")
            return 0
        before = _superfluous(store, identity)
        if before is not None:
            report.tell(f"attempt {identity.attempt} of {identity.job} is not needed")
            # What has succeeded must not fail the whole, nor those that wait for that.
            return 0 if before.status == spec.OK else spec.EXIT_REFUSED
        return _run(store, identity)
    # A full disk, or a store that can't be reached: the exit code is all that can tell.
    except OSError as error:
        report.tell_unwritable(error)
        return spec.EXIT_UNWRITABLE


def _run(store: ListingStore, identity: Identity) -> int:
    folders = values.Folders()
    try:
        opened = _open(store, identity)
        job = JobSpec.from_meta(opened.meta)
        if job.secrets:
            # Loaded only where it is needed.
            from nbbatch.worker.run import secrets

            secrets.expand(os.environ, job)
        folders = values.unpack_modules(store, opened, job)
        monitor = Monitor(
            store,
            identity,
            job,
            lambda end: child.run(Handover(identity, end, folders), opened, job),
        )
        return monitor.run()
    except NbbatchError as error:
        return _refuse(store, identity, error)
    finally:
        for folder in filter(None, folders):
            # Loaded only now: a trivial job does not pay for it.
            import shutil

            shutil.rmtree(folder, ignore_errors=True)


def _go_on() -> int:
    """Run the code of a job whose child has given way to this interpreter."""
    # Loaded only now: a trivial job does not pay for it.
    from nbbatch.worker.run import prefix

    work = prefix.taken(sys.argv)
    opened = _open(open_store(os.environ), work.identity)
    child.run(work, opened, JobSpec.from_meta(opened.meta))
    return 0


def _claim(store: Store, identity: Identity) -> bool:
    """Claim the attempt, so that a duplicate of the job ends at once."""
    name, mine = identity.claiming.name, identity.claim()
    return store.put(name, [mine], if_absent=True) or store.get(name) == mine


def _superfluous(store: Store, identity: Identity) -> Optional[Outcome]:
    """Return the attempt that was the last before this one, though the backend has made this one.

    A job definition that was not made by nbbatch may have rules of its own for that. Where the
    whole was started anew, whoever did that has decided: what has not succeeded is run, also a
    child that was only told to end because another one was refused.
    """
    # Nodes start again together, and each has told how it ended; the main one has decided.
    part = identity.part if identity.children else None
    first = identity.attempt == identity.before + 1
    # The children of the whole before this one have made some attempts, and not all as many.
    earliest = 1 if first and part is not None else identity.attempt - 1
    for before in range(identity.attempt - 1, max(earliest, 1) - 1, -1):
        data = store.get(keys.outcome(identity.job, before, part))
        if data is None:
            continue
        found = envelope.unseal(data, identity.key, spec.OUTCOME, keys.owner(identity.job, part))
        outcome = Outcome.from_meta(found.meta)
        ends = outcome.final and not outcome.renew and not first
        if ends or outcome.status == spec.OK:
            return outcome
    return None


def _open(store: Store, identity: Identity) -> envelope.Envelope:
    data = store.get(keys.input_(identity.job))
    if data is None:
        raise NbbatchError(
            f"job {identity.job} has no input",
            "it is not in the store: it was deleted, or the job's role may not read it",
            "run the cell again; nbbatch doctor checks the role",
        )
    return envelope.unseal(data, identity.key, spec.INPUT, identity.job)


def _refuse(store: Store, identity: Identity, error: NbbatchError) -> int:
    report.tell(str(error))
    outcome = Outcome(
        status=spec.REFUSED,
        attempt=identity.attempt,
        what=error.what,
        cause=error.cause,
        hint=error.hint,
        error=type(error).__name__,
    )
    report.write_outcome(store, identity, outcome)
    return report.exit_code(outcome)


if __name__ == "__main__":
    sys.exit(main())
