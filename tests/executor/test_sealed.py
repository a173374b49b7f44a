"""What was altered between an executor and its workers is refused before it is unpickled."""

from __future__ import annotations

import os
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from nbbatch import BatchExecutor, errors
from nbbatch.session import Session
from nbbatch.wire import calls, keys
from nbbatch.wire.graph import dump
from tests.bombs import Bomb


def forged(session: Session, stamp: Any, canary: Path) -> bytes:
    """Build an object with a bomb inside, by somebody who does not know the key."""
    items = [("function", "f", Bomb(canary)), ("value", "", Bomb(canary))]
    said = {"failures": [], "seconds": 0.1}
    pieces = calls.pack(
        session.backend.store,
        stamp._replace(key=os.urandom(32)),
        [(dump(items), said)],
        set(),
        bytecode=False,
        sources={},
    )
    return b"".join(bytes(piece) for piece in pieces)


def test_forged_calls(local_session: Session, canary: Path) -> None:
    """The worker refuses them, and ends; nothing of them runs."""
    with BatchExecutor(1) as executor:
        assert executor.submit(pow, 2, 3).result(60) == 8
        (job,) = executor.jobs
        number = 1
        data = forged(local_session, calls.calls_stamp(b"", job.id, number), canary)
        assert local_session.backend.store.put(keys.calls(job.id, number), [data], if_absent=True)

        assert isinstance(job.exception(60), errors.SealError)


def test_a_forged_result(local_session: Session, canary: Path) -> None:
    """Whoever asks for it is told; the other results are as they were."""
    with BatchExecutor(1) as executor:
        first, second = executor.submit(pow, 2, 3), executor.submit(pow, 3, 2)
        assert second.exception(60) is None
        (job,) = executor.jobs
    store: Any = local_session.backend.store
    data = forged(local_session, calls.returned_stamp(b"", job.id, 0, 1), canary)
    path = Path(store.root, keys.returned(job.id, 0, 1))
    path.chmod(0o600)
    path.write_bytes(data)

    assert isinstance(first.exception(60), errors.SealError)
    with pytest.raises(errors.SealError):
        first.result()
    assert second.result() == 9


def test_results_that_were_exchanged(local_session: Session) -> None:
    """One call's result can't pass for another's."""
    with BatchExecutor(1) as executor:
        first, second = executor.submit(pow, 2, 3), executor.submit(pow, 3, 2)
        wait([first, second], 60)
        (job,) = executor.jobs
    root = Path(local_session.backend.store.root)  # type: ignore[attr-defined]
    one, two = (root / keys.returned(job.id, number, 1) for number in (0, 1))
    one.chmod(0o600)
    one.write_bytes(two.read_bytes())

    assert isinstance(first.exception(60), errors.SealError)
    assert second.result(60) == 9
