"""Facts of one job at several moments, and a pump that a test drives by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

from nbbatch.facts import Gpu, JobFacts, State, Usage
from nbbatch.widgets.pump import Ticking

GB = 1 << 30
START = 1_700_000_000.0


def waiting(**changes: Any) -> JobFacts:
    """Return facts of a job in a queue."""
    facts = JobFacts(
        id="20260131-094500-1f0c2a9b",
        name="train",
        backend="local",
        state=State.RUNNABLE,
        asked={"cpu": 4.0, "gpu": 1, "memory": 16384, "image": None},
        submitted_at=START,
        message="waiting for an instance",
    )
    return dataclasses.replace(facts, **changes)


def running(**changes: Any) -> JobFacts:
    """Return facts of a job that runs since 12 s after its submit."""
    values: dict[str, Any] = {
        "state": State.RUNNING,
        "message": "",
        "started_at": START + 12,
        "given": {"cpu": 2, "gpu": 1, "memory": 16384, "host": "ip-10-0-0-7"},
        "usage": Usage(1.92, 3 * GB, 16 * GB, 0, (Gpu("A10G", 87.4, 10 * GB, 24 * GB),)),
        "peak": Usage(1.96, 5 * GB, 16 * GB, 0, ()),
    }
    return waiting(**{**values, **changes})


def ended(**changes: Any) -> JobFacts:
    """Return facts of a job that ended 84 s after its submit."""
    values = {"state": State.SUCCEEDED, "outcome": "ok", "stopped_at": START + 84, "usage": None}
    return running(**{**values, **changes})


class HandPump:
    """Ticks when the test says so."""

    def __init__(self) -> None:
        self.views: list[Ticking] = []

    def add(self, view: Ticking) -> None:
        """Serve a view."""
        self.views.append(view)

    def remove(self, view: Ticking) -> None:
        """Serve it no longer."""
        if view in self.views:
            self.views.remove(view)

    def tick(self) -> None:
        """Tick each view once."""
        for view in list(self.views):
            view.tick()
