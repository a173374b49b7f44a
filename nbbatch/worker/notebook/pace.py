"""When a bar is told, and how fast its loop goes."""

from __future__ import annotations

import math
from typing import Any, Dict, Optional

from nbbatch.wire.frames import Frame, frame

#: Seconds between two looks; of a bar that has been there for minutes, between two frames.
PAUSE, SLOW = 0.25, 1.0
#: Seconds of a bar's life for each second of pause, up to `SLOW`.
_AGE = 60.0
#: Looks are not exactly `PAUSE` apart.
_SLACK = 0.02
#: Seconds between tellings of an open bar that stands still, at first and later: its rate falls.
STILL_FIRST, STILL = 1.0, 5.0
#: Seconds that are too short to say how fast something is.
_MOMENT = 0.5
#: Seconds over which a rate is taken at least, and the part of a bar's life that is taken.
_SPAN, _PART = 5.0, 0.1


class Pace:
    """When a bar was told what, and how fast it goes."""

    def __init__(self, initial: float = 0) -> None:
        self.told: Optional[Frame] = None
        self.told_at = 0.0
        self._done = initial
        self._moved_at: Optional[float] = None
        self._step = self._pause = 0.0
        self._n = self._seconds = 0.0

    def due(self, state: Dict[str, Any], now: float) -> bool:
        """Tell whether something is to be said."""
        if self.told is None:
            return True
        if all(self.told.get(name) == value for name, value in state.items()):
            pause = min(STILL, max(STILL_FIRST, self.told_at - (self._moved_at or 0)))
            return not state["closed"] and now - self.told_at >= pause - _SLACK
        pause = min(SLOW, max(PAUSE, (now - state["started"]) / _AGE))
        return bool(state["closed"]) or now - self.told_at >= pause - _SLACK

    def tell(self, state: Dict[str, Any], rate: Optional[float], now: float) -> Frame:
        """Return the frame that says it."""
        self.told, self.told_at = frame("progress", **state, rate=rate), now
        return self.told

    def rate(self, done: float, started: float, now: float) -> Optional[float]:
        """Return how much is done in a second now: of late, not since the beginning."""
        moved, since = done - self._done, started if self._moved_at is None else self._moved_at
        if moved < 0:
            self._n = self._seconds = 0.0
        elif moved:
            self._step, self._pause = moved, max(now - since, 1e-6)
            kept = math.exp(-self._pause / (_SPAN + _PART * max(0.0, now - started)))
            self._n = self._n * kept + moved
            self._seconds = self._seconds * kept + self._pause
        if moved:
            self._done, self._moved_at, since = done, now, now
        quiet = now - since
        if not self._n or self._seconds + quiet < _MOMENT:
            return None
        rate = self._n / self._seconds
        # It stands still: by now it would have moved at the rate that it had.
        return min(rate, self._step / quiet) if quiet > 2 * self._pause else rate
