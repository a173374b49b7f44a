"""The backends under test.

A rig is added to the contract suite by a line in `RIGS`: its name, a context manager that takes
pytest's ``request`` and yields a `stub.Rig`, and the marks of its tests.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch.backends.local import local_backend
from nbbatch.session import present

# The helpers beside the tests are imported by their names, whatever pytest's import mode.
sys.path.insert(0, str(Path(__file__).parent))

import aws_rig  # noqa: E402
from stub import Rig  # noqa: E402

Factory = Callable[[pytest.FixtureRequest], AbstractContextManager[Rig]]


@contextlib.contextmanager
def local_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Open the local backend in a new directory."""
    home = request.getfixturevalue("tmp_path") / "a home"
    recipe = (
        "from pathlib import Path\n"
        "from nbbatch.backends.local import local_backend\n"
        f"backend = local_backend(Path({str(home)!r}))\n"
    )
    rig = Rig(local_backend(home), recipe)
    yield rig
    rig.stop_all()


RIGS: dict[str, tuple[Factory, Any]] = {"local": (local_rig, ())}

RIGS.update(aws_rig.RIGS)


def _parameters() -> list[Any]:
    return [pytest.param(f, id=name, marks=marks) for name, (f, marks) in RIGS.items()]


@pytest.fixture(params=_parameters())
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Open one backend after the other."""
    with request.param(request) as opened:
        yield opened


@pytest.fixture
def backend(rig: Rig) -> Any:
    """Open the backend alone, where a test needs no jobs."""
    return rig.backend


@pytest.fixture
def local(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Open the local backend, for what is peculiar to it."""
    with local_rig(request) as opened:
        yield opened


@pytest.fixture
def account(tmp_path: Path) -> Iterator[aws_rig.Rig]:
    """Give an AWS account of the test's own to this process."""
    with aws_rig.aws_rig(tmp_path) as opened:
        opened.batch.place.environment["AWS_EC2_METADATA_DISABLED"] = "true"
        os.environ["NBBATCH_HOME"] = str(tmp_path / "home")
        root = f"s3://{opened.bucket}/root"
        nbbatch.configure(backend="aws", s3_root=root, queue="queue", iam_role=aws_rig.ROLE)
        yield opened
        _follow_no_more()


def _follow_no_more() -> None:
    """Forget jobs that the test has left: the next one's server may have this one's port."""
    if present._current is None:
        return
    watcher = present._current._watcher
    with watcher._lock:
        for watched in watcher._jobs:
            watched.dropped = True
        watcher._jobs.clear()
