"""What is noted of a job before it is started, and what its backend is told to start."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from nbbatch.backends.base import Backend, Launch
from nbbatch.futures.chains import Chain
from nbbatch.futures.records.registry import Record
from nbbatch.options import Options, kept
from nbbatch.sending import Work
from nbbatch.supply import starts_again
from nbbatch.wire import attempts, keys
from nbbatch.worker.boot.bundle import bundle

__all__ = ["described", "launch_of"]


def with_upstreams(work: Work) -> Work:
    """Return the work with what the results of others may need, which it reads: their libraries."""
    others = work.captured.graph.upstreams.values()
    wants = {m: f"the result of {job.name} may need it" for job in others for m in job.record.wants}
    whole = replace(work.captured, wants={**wants, **work.captured.wants})
    return replace(work, captured=whole) if wants else work


def described(work: Work, options: Options, id_: str, place: str, chain: Chain) -> Record:
    """Describe a job for this machine's registry, before it is started.

    Parameters
    ----------
    place
        The root of its store.
    chain
        The jobs that must succeed before.
    """
    again = bool(work.items or chain.after or starts_again(work.captured, options))
    record = Record(
        id=id_,
        name=work.spec.name,
        kind=work.spec.kind,
        place=place,
        submitted_at=time.time(),
        attempts=options.retries + 1,
        asked={**options.asked(), "timeout": options.timeout},
        catch=options.catch,
        print_exception=options.print_exception,
        nodes=options.nodes,
        queue=options.queue or "",
        notebook=work.notebook,
        options=kept(options) if again else {},
        directory=os.getcwd(),
        depends_on=chain.jobs,
        after=chain.after,
        lazy=options.lazy,
        wants=tuple(work.captured.wants),
    )
    if work.items is None:
        return record
    retries, retried = work.retries
    return replace(
        record,
        items=work.items.count,
        chunksize=work.items.chunksize,
        children=work.items.children,
        retries=retries,
        retried=retried,
    )


def launch_of(record: Record, options: Options, backend: Backend, key: bytes) -> Launch:
    """Say what is to be started; all that the job needs is in the store by then."""
    worker = bundle()[1]
    environment = {
        **(options.environment or {}),
        **backend.store.environment(),
        keys.ENV_JOB: record.id,
        keys.ENV_KEY: key.hex(),
        keys.ENV_WORKER: worker,
    }
    if options.library_cache:
        environment[keys.ENV_LIBRARIES] = options.library_cache
    if record.children:
        environment[keys.ENV_CHILDREN] = str(record.children)
    if record.before:
        environment[keys.ENV_BEFORE] = str(record.before)
        environment[keys.ENV_MEMORY] = str(options.memory)
    return Launch(
        job_id=record.id,
        name=record.name,
        options=options,
        environment=environment,
        worker=worker,
        secret=frozenset({keys.ENV_KEY}),
        directory=record.directory,
        depends_on=tuple(record.after),
        before=record.before,
        anew=record.anew,
        leeway=attempts.leeway(options.minutes_between_retries),
        children=record.children or 0,
    )
