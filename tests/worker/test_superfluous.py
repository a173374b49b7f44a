"""An attempt that nobody needs ends at once; one that was asked for never does."""

from __future__ import annotations

from typing import Any

import pytest

from nbbatch.wire import keys, spec
from nbbatch.wire.spec import Outcome
from nbbatch.worker.__main__ import _superfluous
from nbbatch.worker.run import report
from nbbatch.worker.run.identity import Identity, take_identity

JOB, KEY = "20261122-000112-1106b525", b"k" * 32


class Objects(dict[str, bytes]):
    """A store in memory."""

    url = "memory:"

    def put(self, name: str, pieces: Any, if_absent: bool = False) -> bool:
        """Keep an object."""
        self[name] = b"".join(bytes(piece) for piece in pieces)
        return True


def child(attempt: int, before: int) -> Identity:
    """Be the first of three children."""
    return Identity(JOB, attempt, "batch", KEY, part=0, children=3, before=before)


TERMINATED = Outcome(spec.TERMINATED, signal="SIGTERM")
REFUSED = Outcome(spec.REFUSED, what="other libraries", renew=spec.IMAGE)


@pytest.mark.parametrize(
    ("ended", "before", "needless"),
    [
        # It was told to end when another child was refused, and the array started anew.
        (TERMINATED, 1, False),
        (REFUSED, 1, False),
        (Outcome(spec.ERROR), 1, False),
        (Outcome(spec.OK), 1, True),
        # The backend has tried the same job again.
        (TERMINATED, 0, True),
        (Outcome(spec.ERROR), 0, True),
        (Outcome(spec.OK), 0, True),
        (Outcome(spec.ERROR, final=False), 0, False),
    ],
)
def test_what_the_attempt_before_came_to(ended: Outcome, before: int, needless: bool) -> None:
    """It counts whether the same job is tried again or another one was started for it."""
    store: Any = Objects()
    report.write_outcome(store, child(1, 0), ended)

    assert _superfluous(store, child(2, before)) == (ended if needless else None)


def test_a_child_that_made_fewer_attempts() -> None:
    """The whole is started anew after as many as any child has made: its own last one counts."""
    store: Any = Objects()
    report.write_outcome(store, child(1, 0), Outcome(spec.OK))

    assert _superfluous(store, child(3, 2)) == Outcome(spec.OK)
    assert _superfluous(store, child(4, 2)) is None


def test_the_first_attempt() -> None:
    """There is none before it."""
    store: Any = Objects()

    assert not _superfluous(store, child(1, 0))


def test_who_was_started_anew() -> None:
    """The environment says after how many attempts."""
    environment = {
        keys.ENV_JOB: JOB,
        keys.ENV_KEY: KEY.hex(),
        keys.ENV_BEFORE: "2",
        keys.ENV_BATCH_ATTEMPT: "1",
    }
    found = take_identity(environment)

    assert (found.attempt, found.before) == (3, 2)
