"""An outcome is written even where the store is away for a while; a refusal is told at once."""

from __future__ import annotations

import errno
import time
from types import SimpleNamespace

import pytest

from nbbatch.wire import spec
from nbbatch.wire.spec import Outcome
from nbbatch.worker.run import report
from nbbatch.worker.run.identity import Identity
from nbbatch.worker.stores.credentials import NoCredentialsError
from nbbatch.worker.stores.s3client import S3Error

IDENTITY = Identity("job", 1, "", b"k" * 32)


class Away:
    """A store that fails a number of times."""

    url = "s3://somewhere"

    def __init__(self, *errors):
        self.errors = list(errors)
        self.written = []

    def put(self, name, pieces, if_absent=False):
        if self.errors:
            raise self.errors.pop(0)
        self.written.append(name)
        return True


@pytest.fixture
def slept(monkeypatch):
    """Take note of pauses in the place of making them."""
    found = []
    # Not the module that all threads have.
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=found.append)
    monkeypatch.setattr(report, "time", clock)
    return found


def test_a_store_that_is_away(slept):
    """It is tried again, more and more seldom."""
    gone = S3Error(0, "Unreachable", "no route", "PUT s3://b/k")
    busy = S3Error(503, "SlowDown", "slowly", "PUT s3://b/k")
    store = Away(gone, busy, NoCredentialsError("none for now"), *[gone] * 4)
    report.write_outcome(store, IDENTITY, Outcome(spec.OK))

    assert store.written == ["jobs/job/outcome/1"]
    assert slept == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    "error",
    [
        S3Error(403, "AccessDenied", "no", "PUT s3://b/k"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_a_store_that_refuses(slept, error):
    """Nobody waits for what does not pass."""
    with pytest.raises(OSError) as caught:
        report.write_outcome(Away(error), IDENTITY, Outcome(spec.OK))

    assert caught.value is error
    assert not slept


def test_a_store_that_stays_away(slept, monkeypatch):
    """The patience has an end."""
    monkeypatch.setattr(report, "PATIENCE", -1.0)
    with pytest.raises(S3Error):
        report.write_outcome(
            Away(S3Error(500, "InternalError", "", "PUT")), IDENTITY, Outcome(spec.OK)
        )
    assert not slept
