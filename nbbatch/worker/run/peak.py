"""The most that a job has used of everything."""

from __future__ import annotations

import time
from typing import Any


class Peak:
    """Keeps the largest of each figure, from the start on."""

    def __init__(self) -> None:
        self._figures: dict[str, float] = {}
        self._started = time.monotonic()

    def take(self, usage: dict[str, Any]) -> None:
        """Look at a sample: the fields of a ``usage`` frame."""
        self.note(**{name: usage.get(name, 0) for name in ("cpu", "memory", "disk")})
        if usage.get("gpus"):
            self.note(gpu_memory=max(gpu["memory"] for gpu in usage["gpus"]))

    def note(self, **figures: float) -> None:
        """Look at single figures."""
        for name, value in figures.items():
            self._figures[name] = max(self._figures.get(name, 0), value)

    def figures(self) -> dict[str, float]:
        """Return all of them, and the ``seconds`` since the start."""
        return {**self._figures, "seconds": round(time.monotonic() - self._started, 3)}
