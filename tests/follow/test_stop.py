"""Stop and Cancel while a cell waits, in each order: without a kernel, a job or a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from nbbatch.follow import Follower, following
from tests.widgets.jobs import ended, running


class View:
    """A card that takes what it is told."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


class Job:
    """A job that takes its time to end after it was cancelled."""

    id, name = "20260131-094500-1f0c2a9b", "train"
    facts = running()

    def __init__(self) -> None:
        self.cancelled = 0

    def cancel(self) -> bool:
        """Count how often that was asked."""
        self.cancelled += 1
        return True

    def add_done_callback(self, call: object) -> None:
        """Do nothing: it does not end."""


class Emitter:
    """Emits nothing."""

    takes_text = True

    def emit(self, frame: object) -> None:
        """Do nothing."""


CLICK, STOP, END = "click", "stop", "end"


def wait(*steps: str) -> Job:
    """Wait for a job while these things happen, one in each pause."""
    job, follower, left = Job(), Follower(), iter(steps)
    follower.show(View())  # type: ignore[arg-type]

    async def pause() -> bool:
        step = next(left)
        if step == STOP:
            raise KeyboardInterrupt
        if step == CLICK:
            follower.cancel.set()
        if step == END:
            job.facts = ended(outcome="cancelled")
        return step == END

    told: Any = job
    emitter: Any = Emitter()
    asyncio.run(following(told, follower, emitter, detachable=True, pauses=lambda _: pause))
    return job


@pytest.mark.parametrize("steps", [[CLICK], [STOP], [CLICK, STOP]])
def test_the_cell_waits_for_the_end_of_what_was_cancelled(steps: list[str]) -> None:
    """A click may be followed by an interrupt of the page that made it: both are one wish."""
    assert wait(*steps, END).cancelled == 1


@pytest.mark.parametrize("steps", [[STOP, STOP], [CLICK, STOP, STOP]])
def test_stop_after_that_gives_the_cell_back(steps: list[str]) -> None:
    """Whoever presses it again wants the cell."""
    with pytest.raises(KeyboardInterrupt, match="ends without the cell"):
        wait(*steps, END)
