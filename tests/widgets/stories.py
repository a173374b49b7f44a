"""A job that has everything that a card can show."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from nbbatch.widgets.log import Line
from nbbatch.widgets.model import Bar, CardModel, Earlier, Meter, Part, Parts, Step, card_model
from tests.widgets.jobs import START, ended

#: A log of both streams.
LOG: tuple[Line, ...] = tuple(
    ("stderr", f"UserWarning: {n} & <tags>") if n % 7 == 0 else ("stdout", f"epoch {n} loss 0.5")
    for n in range(120)
)


def points(count: int = 60) -> tuple[tuple[float, float], ...]:
    """Return a chart that goes up and down."""
    return tuple((n * 1.2, round(0.5 + 0.4 * math.sin(n / 3), 3)) for n in range(count))


def meters(count: int = 5) -> tuple[Meter, ...]:
    """Return that many figures of use, each with its chart."""
    names = ("CPU", "Memory", "NVIDIA A10G", "GPU memory", "Disk")
    return tuple(
        Meter(names[n % 5], "5 of 16 GB", None, "5 of 16 GB", 0.3, points(), "16 GB")
        for n in range(count)
    )


def rich(**changes: Any) -> CardModel:
    """Return the card of a job that has everything, with changes."""
    words = (("Submitted", "0.4 s"), ("Runnable", "8.1 s"), ("Running", "1 m 12 s"))
    steps = (*(Step(word, "done", time=time) for word, time in words), Step("Succeeded", "done"))
    values: dict[str, Any] = {
        "steps": steps,
        "usage": meters(),
        "attempt": "attempt 2 of 3",
        "earlier": (Earlier(1, "Failed", "41 s", "host reclaimed"),),
        "bars": (Bar("epochs", "20 of 20 it", 1.0, True), Bar("validation", "31 of 50 it", 0.62)),
        "parts": Parts(
            "node",
            (("Succeeded", 7), ("Failed", 1)),
            (Part(3, "✗", "Failed", "bad", "exit code 1"), Part(0, "✓", "Succeeded", "ok")),
        ),
        "cost": "$0.42",
        "advice": "asked for 16 GB, peaked at 5 GB",
        "details": (("Instance", "g5.2xlarge"), ("Zone", "eu-central-1a")),
        "url": "https://console.example/jobs/x",
        "log_url": "https://console.example/log/x",
    }
    return dataclasses.replace(card_model(ended(), START + 84), **{**values, **changes})
