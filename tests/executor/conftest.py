"""A session on this machine, executors in it, and proof that nothing of them outlives its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from nbbatch import BatchExecutor
from nbbatch.session import Session
from tests.executor.stages import stopped
from tests.integration.conftest import notebook, nothing_left

__all__ = ["notebook", "nothing_left"]


@pytest.fixture
def executors(local_session: Session) -> Iterator[Callable[..., BatchExecutor]]:
    """Make executors; whatever they still do when the test ends is stopped."""
    yield from stopped()


@pytest.fixture
def one(executors: Callable[..., BatchExecutor]) -> BatchExecutor:
    """Give an executor with one worker."""
    return executors(1)
