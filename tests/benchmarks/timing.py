"""What the benchmark scripts share: medians of one run, on one machine, side by side."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def cores() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes by the clock on the wall."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def paired(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time several things in turns, so that a busy machine is as busy for each of them."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return taken


def start(*arguments: str) -> Callable[[], object]:
    """Return a function that runs this interpreter once, with `arguments`."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True)


def heading(title: str) -> None:
    """Print what is measured, and on what."""
    load = os.getloadavg()[0]
    print(f"{title} (Python {sys.version.split()[0]}, {cores()} cores, load {load:.1f})")


def show(name: str, taken: Iterable[float], unit: str = "s", against: float | None = None) -> float:
    """Print the median and the range of some figures, and its ratio to another; return it."""
    figures = sorted(taken)
    middle = statistics.median(figures)
    ratio = f"   {middle / against:.2f} x" if against else ""
    print(f"  {name:<52} {middle:8.3f} {unit}  ({figures[0]:.3f} to {figures[-1]:.3f}){ratio}")
    return middle


def quantile(figures: Sequence[float], part: float) -> float:
    """Return the figure below which `part` of them lie."""
    return sorted(figures)[min(int(len(figures) * part), len(figures) - 1)]
