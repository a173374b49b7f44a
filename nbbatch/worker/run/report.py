"""Writes an attempt's outcome: sealed, complete, once."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Callable, List, Sequence

from nbbatch.wire import attempts, envelope, keys, parts, spec
from nbbatch.wire.envelope import Stamp
from nbbatch.wire.spec import JobSpec, Outcome
from nbbatch.wire.store import Buffer, Store
from nbbatch.worker.run.identity import Identity

#: Why an attempt was asked to end, as the outcome says it.
TIMEOUT, SPOT = "timeout", "spot"

#: Seconds for which a store that can't be reached is tried for an outcome, and between two tries.
PATIENCE, _LONGEST = 900.0, 30.0

_STDERR = 2


def write_outcome(
    store: Store,
    identity: Identity,
    outcome: Outcome,
    buffers: Sequence[Buffer] = (),
    large: int = parts.BLOB,
) -> None:
    """Seal `outcome` with its graph's parts and write it under its final name.

    Parameters
    ----------
    large
        See `nbbatch.wire.parts.pack`.
    """
    _put(store, identity, outcome, buffers, large=large)


def write_if_absent(store: Store, identity: Identity, outcome: Outcome) -> Outcome:
    """Write `outcome` if there is none yet; return the one that is in the store."""
    if _put(store, identity, outcome, if_absent=True):
        return outcome
    data = store.get(keys.outcome(identity.job, identity.attempt, identity.part)) or b""
    found = envelope.unseal(data, identity.key, spec.OUTCOME, identity.owner)
    return Outcome.from_meta(found.meta)


def _put(
    store: Store,
    identity: Identity,
    outcome: Outcome,
    buffers: Sequence[Buffer] = (),
    *,
    if_absent: bool = False,
    large: int = parts.BLOB,
) -> bool:
    name = keys.outcome(identity.job, identity.attempt, identity.part)
    if identity.children and not (if_absent and store.size(name) is not None):
        _mark(store, identity, outcome)
    meta, stamp = outcome.meta(), Stamp(identity.key, spec.OUTCOME, identity.owner)

    def write() -> bool:
        pieces: List[Buffer] = parts.pack(store, stamp, meta, buffers, set(), large=large)
        return store.put(name, pieces, if_absent=if_absent)

    return _patiently(write)


def _patiently(write: Callable[[], bool]) -> bool:
    """Write, again and again while the store can't be reached: hours of work may be in it."""
    end, pause = time.monotonic() + PATIENCE, 1.0
    while True:
        try:
            return write()
        except OSError as error:
            if not getattr(error, "passing", False) or time.monotonic() > end:
                raise
            tell(f"the outcome can't be written yet: {error}")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST)


def _mark(store: Store, identity: Identity, outcome: Outcome) -> None:
    """Leave a mark where a child has failed, before its outcome can be seen."""
    if outcome.status == spec.OK or identity.part is None:
        return
    word = keys.FAILED if outcome.final else keys.AGAIN
    store.put(keys.mark(identity.job, identity.attempt, identity.part, word), [b""])


def tell(text: str) -> None:
    """Say something in the container's own log, if it takes it: it may be on a full disk too."""
    try:
        # Unbuffered, so that nothing is left to fail when the interpreter ends.
        os.write(_STDERR, f"nbbatch: {text}\n".encode("utf-8", "replace"))
    except OSError:
        pass


def tell_unwritable(error: OSError) -> None:
    """Say that the store does not take the outcome."""
    tell(f"the outcome can't be written: {error}")


def judged(outcome: Outcome, job: JobSpec) -> Outcome:
    """Say in an outcome whether another attempt follows."""
    last = outcome.attempt >= job.attempts or outcome.status in (spec.OK, spec.REFUSED)
    final = last or not attempts.again(job.retry_on, _end(outcome), exit_code(outcome))
    return replace(outcome, final=final)


def _end(outcome: Outcome) -> str:
    """Name how an attempt ended, as `attempts.again` does; ``""`` where that is open."""
    if outcome.out_of_memory:
        return attempts.MEMORY
    if outcome.loss == SPOT:
        return attempts.SPOT
    # The kernel of the host may have killed it for its memory, or Batch asked it to end.
    unsure = outcome.signal == "SIGKILL" or outcome.status == spec.TERMINATED
    return "" if unsure and outcome.loss != TIMEOUT else attempts.EXIT


def too_long(job: JobSpec) -> str:
    """Say that a job ran out of time."""
    return f"its code was still running after {job.timeout:g} s"


def exit_code(outcome: Outcome) -> int:
    """Return what the container exits with: as a shell would report the same end."""
    if outcome.blames is not None:
        return outcome.exit_code or 1
    if outcome.status == spec.OK:
        return 0
    if outcome.exit_code == spec.EXIT_UNWRITABLE:
        return spec.EXIT_UNWRITABLE
    if outcome.status == spec.REFUSED:
        return spec.EXIT_REFUSED
    if outcome.loss == TIMEOUT:
        return attempts.EXIT_TIMEOUT
    if outcome.status == spec.TERMINATED:
        return 143
    if outcome.status == spec.DIED and outcome.exit_code:
        return outcome.exit_code
    return 1
