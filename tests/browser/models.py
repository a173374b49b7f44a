"""Cards of made-up jobs in every state, as the model would fill them."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from typing import Any

from nbbatch.widgets.model import CardModel
from nbbatch.widgets.model.bars import Bar
from nbbatch.widgets.model.meters import Meter
from nbbatch.widgets.model.parts import Part, arranged
from nbbatch.widgets.model.timeline import Earlier, Step

IMAGE = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/pytorch-training:2.5.1-gpu-py311-cu124"
DETAILS = (
    ("Instance", "g5.2xlarge (i-0f3b2c81d9a4e5f60)"),
    ("Zone", "eu-central-1b"),
    ("Platform", "EC2, Spot"),
    ("GPU", "NVIDIA A10G"),
    ("Image", IMAGE),
    ("Queue", "gpu-spot"),
    ("Python", "3.11.9"),
)


def wave(n: int = 60, *, base: float = 0.6, swing: float = 0.25, seconds: float = 134) -> Any:
    """Return points of a chart that starts low and then swings."""

    def height(i: int) -> float:
        swung = base + swing * math.sin(i / 4) + 0.06 * math.sin(i * 1.7)
        return round(min(1.0, max(0.0, swung * min(1.0, i / 6))), 3)

    return tuple((round(seconds * i / (n - 1), 1), height(i)) for i in range(n))


def use(gpus: int = 1) -> tuple[Meter, ...]:
    """Return the meters of a job with some GPUs."""
    cpu = Meter("CPU", "3.1 of 4 cores", 0.775, "3.9 of 4 cores", 0.975, wave(), "4 cores")
    memory = Meter(
        "Memory", "9.4 of 16 GB", 0.5875, "12.1 of 16 GB", 0.756, wave(base=0.5, swing=0.1), "16 GB"
    )
    disk = Meter(
        "Disk", "3.2 of 50 GB", 0.064, "3.2 of 50 GB", 0.064, wave(base=0.06, swing=0.01), "50 GB"
    )
    pairs = []
    for i in range(gpus):
        name = f"NVIDIA A10G {i}" if gpus > 1 else "NVIDIA A10G"
        at = 0.85 - 0.07 * i
        pairs.append(
            Meter(
                name,
                f"{100 * at:.0f} %",
                at,
                "98 %",
                0.98,
                wave(base=at - 0.1, swing=0.15),
                "100 %",
            )
        )
        pairs.append(
            Meter(
                f"{name} memory" if gpus > 1 else "GPU memory",
                "18 of 24 GB",
                0.75,
                "21 GB",
                0.875,
                wave(base=0.7, swing=0.06),
                "24 GB",
            )
        )
    return (cpu, memory, *pairs, disk)


def running(**changes: Any) -> dict[str, Any]:
    """Return the card of a job that runs."""
    now = time.time()
    start = now - 240
    steps = (
        Step("Submitted", "done", start, start + 2, "2 s"),
        Step("Runnable", "done", start + 2, start + 74, "1 m 12 s"),
        Step("Starting", "done", start + 74, start + 106, "32 s"),
        Step("Running", "now", start + 106),
        Step("Done", "next"),
    )
    base = CardModel(
        id="20260131-094500-1f0c2a9b",
        name="train",
        mark="●",
        word="Running",
        tone="running",
        steps=steps,
        since=start,
        until=None,
        now=now,
        elapsed="4 m 0 s",
        times="waited 1 m 46 s, ran 2 m 14 s",
        attempt="",
        asked="4 vCPU, 1 GPU, 16 GB",
        given="4 vCPU, 1 GPU, 16 GB",
        nodes="",
        place="aws · g5.2xlarge · eu-central-1b",
        usage=use(),
        peak="3.9 cores, 12.1 GB, GPU 98 % and 21 GB",
        message="",
        outcome="",
        done=False,
        url="https://console.aws.amazon.com/batch/home#jobs/detail/1",
        cost="$0.08 so far, $1.21/h",
    )
    return plain(
        base.as_json()
        | {"details": DETAILS, "log_url": "https://console.aws.amazon.com/cloudwatch/", **changes}
    )


def plain(card: dict[str, Any]) -> dict[str, Any]:
    """Return what goes over the wire: JSON, which knows neither tuples nor dataclasses."""
    return dict(json.loads(json.dumps(card, default=dataclasses.asdict)))


def waiting(**changes: Any) -> dict[str, Any]:
    """Return the card of a job in a queue."""
    now = time.time()
    start = now - 95
    steps = (
        Step("Submitted", "done", start, start + 2, "2 s"),
        Step("Runnable", "now", start + 2),
        Step("Starting", "next"),
        Step("Running", "next"),
        Step("Done", "next"),
    )
    values = {
        "mark": "○", "word": "Runnable", "tone": "waiting", "steps": steps, "since": start,
        "now": now, "usage": (), "peak": "", "given": "", "cost": "",
        "details": (("Queue", "gpu-spot"), ("Image", IMAGE)),
        "message": "Position 3 in the queue gpu-spot: waiting for a g5.2xlarge; the compute "
        "environment is at its limit of 64 vCPU", "log_url": "",
    }  # fmt: skip
    return running(**{**values, **changes})


def ended(**changes: Any) -> dict[str, Any]:
    """Return the card of a job that succeeded."""
    model = running()
    until = model["now"]
    steps = (
        *model["steps"][:3],
        Step("Running", "done", model["since"] + 106, until, "2 m 14 s"),
        Step("Succeeded", "done", until),
    )
    values = {
        "mark": "✓", "word": "Succeeded", "tone": "ok", "steps": steps, "until": until,
        "outcome": "ok", "done": True, "cost": "$0.08",
        "usage": [{**meter, "text": meter["peak"]} for meter in model["usage"]],
        "advice": "asked for 16 GB, peaked at 3.1 GB: --memory 4000 would do",
    }  # fmt: skip
    return plain(model | values | changes)


def failed(**changes: Any) -> dict[str, Any]:
    """Return the card of a job that its host killed."""
    done = ended()
    steps = (*done["steps"][:-1], Step("Failed", "done", done["until"]))
    values = {
        "mark": "✗", "word": "Failed", "tone": "bad", "outcome": "lost", "steps": steps,
        "message": "The job ran out of memory: its limit was 16 GB, "
        "it used 15.9 GB a second before it was killed.",
        "advice": "peaked at 15.9 GB of 16 GB: --memory 20000 is safer",
    }  # fmt: skip
    return plain(done | values | changes)


def nodes(count: int = 24, bad: tuple[int, ...] = (5, 17)) -> Any:
    """Return the parts of a multi-node job."""
    cells = []
    for i in range(count):
        if i in bad:
            cells.append(Part(i, "✗", "Failed", "bad", "exit code 1: NCCL timeout"))
        elif i % 7 == 3:
            cells.append(Part(i, "◌", "Starting", "waiting"))
        else:
            cells.append(
                Part(i, "●", "Running", "running", f"ip-10-0-0-{i} · memory 9.4 GB of 16 GB")
            )
    return arranged("node", cells)


def attempts(count: int) -> tuple[Earlier, ...]:
    """Return attempts that came to nothing."""
    why = "Host EC2 (instance i-0f3b) terminated: Spot reclaimed it"
    return tuple(Earlier(i + 1, "Failed", f"{4 + i} m 2 s", why) for i in range(count))


def loops() -> tuple[Bar, ...]:
    """Return the progress of loops: one that knows its end, one that does not, one that is over."""
    return (
        Bar("epochs", "12 of 30, 2.1/min, 9 m left", 0.4),
        Bar("rows", "18200 rows, 950/s", None),
        Bar("loading", "500 of 500 files, 3 s", 1.0, closed=True),
    )
