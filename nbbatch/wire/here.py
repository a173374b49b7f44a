"""What the worker lends to `nbbatch.current` and `nbbatch.progress` in the job's own process.

Nothing elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

if TYPE_CHECKING:
    from typing import Protocol

    from nbbatch.wire.checkpoints import Checkpoints

    class Bar(Protocol):
        """How far one loop has come; whoever runs the loop writes it.

        Attributes
        ----------
        passed
            Written by one loop alone, without a lock: it may turn a million times a second.
        """

        label: str
        total: Optional[float]
        passed: float

        @property
        def done(self) -> float:
            """How far the loop has come."""

        def add(self, n: float) -> None:
            """Say that `n` more are done; from any thread."""

        def close(self) -> None:
            """Say that the loop is over."""

    class Bars(Protocol):
        """All loops of this process that tell how far they have come."""

        def open(self, label: str, total: Optional[float], unit: str) -> Bar:
            """Begin a loop."""


checkpoints: "Optional[Callable[[], Checkpoints]]" = None
bars: "Optional[Callable[[], Bars]]" = None
