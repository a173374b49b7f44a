"""A job that is none: facts that change from a thread, as a watcher would publish them.

Imported by the notebooks of these tests, in their kernel.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from nbbatch.facts import Gpu, JobFacts, State, Usage
from nbbatch.widgets import View, show

GB = 1 << 30


def facts(**changes: Any) -> JobFacts:
    """Return a job's first facts, with changes."""
    base = JobFacts(
        id="20260131-094500-1f0c2a9b",
        name="train",
        backend="local",
        asked={"cpu": 4, "gpu": 1, "memory": 16384},
        submitted_at=time.time(),
        message="waiting for an instance",
    )
    return dataclasses.replace(base, **changes)


def running(first: JobFacts, **changes: Any) -> JobFacts:
    """Return the facts of the same job once it runs."""
    gpus = (Gpu("NVIDIA A10G", 87, 10 * GB, 24 * GB),)
    values: dict[str, Any] = {
        "state": State.RUNNING,
        "started_at": time.time(),
        "message": "",
        "given": {"cpu": 2, "gpu": 1, "memory": 16384, "host": "ip-10-0-0-7"},
        "usage": Usage(1.9, 3 * GB, 16 * GB, 0, gpus),
        "peak": Usage(1.9, 5 * GB, 16 * GB, 0, gpus),
    }
    return dataclasses.replace(first, **{**values, **changes})


def ended(last: JobFacts, **changes: Any) -> JobFacts:
    """Return the facts of the same job after its end."""
    values: dict[str, Any] = {
        "state": State.SUCCEEDED,
        "outcome": "ok",
        "stopped_at": time.time(),
        "usage": None,
    }
    return dataclasses.replace(last, **{**values, **changes})


def until(path: str) -> None:
    """Wait until a file is there."""
    while not os.path.exists(path):
        time.sleep(0.02)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hear no interrupt: that of a page which has not seen yet that its click was taken."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class FakeJob:
    """Runs `story(job)` in a thread, waits for it as a magic does: interruptibly."""

    def __init__(
        self, story: Callable[[FakeJob], None], polling: bool = True, **changes: Any
    ) -> None:
        self.polling = polling
        self.cancelled = threading.Event()
        self.detached = threading.Event()
        self.by_interrupt = False
        self.facts = facts(**changes)
        self.view: View = show(
            self.facts, cancel=self.cancelled.set, detach=self.detached.set, blocking=True
        )
        self._thread = threading.Thread(target=story, args=(self,), daemon=True)

    def become(self, changed: JobFacts) -> None:
        """Publish new facts."""
        self.facts = changed
        self.view.update(changed)

    def wait(self, log_tail: bool = True) -> None:
        """Wait for the story in the main thread, then fold the card."""
        self._thread.start()
        try:
            while self._thread.is_alive() and not self._left():
                time.sleep(0.05)
                if self.polling:
                    self.view.poll()
        except KeyboardInterrupt:
            self.by_interrupt = True
            self.cancelled.set()
        with _uninterrupted():
            self._end(log_tail)

    def _end(self, log_tail: bool) -> None:
        if self.detached.is_set():
            self.view.release()
            return
        if self.cancelled.is_set():
            self.facts = ended(
                self.facts, state=State.FAILED, outcome="cancelled", message="cancelled"
            )
        elif not self.facts.done:
            self.facts = ended(self.facts)
        self.view.finish(self.facts, log_tail=log_tail)

    def _left(self) -> bool:
        return self.cancelled.is_set() or self.detached.is_set()
