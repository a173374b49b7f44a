"""How many calls go to a worker together: short ones in numbers, long ones alone."""

from __future__ import annotations

#: Seconds of work to give at a time: about what it takes until a worker has the next calls.
_WORTH = {"local": 0.1, "aws": 2.0}
#: Calls in one object at most; a worker that dies takes them with it.
_MOST = 1000
#: How much the last calls say about the next ones.
_SHARE = 0.3


class Pace:
    """Learns how long calls take.

    Parameters
    ----------
    backend
        The backend's name.
    """

    def __init__(self, backend: str) -> None:
        #: See `_WORTH`.
        self.worth = _WORTH[backend]
        self._mean: float | None = None

    def learn(self, seconds: float) -> None:
        """Take it that a call has taken so long."""
        known = self._mean
        self._mean = seconds if known is None else known + _SHARE * (seconds - known)

    def size(self, waiting: int, workers: int) -> int:
        """Return how many of the calls that wait the next worker is to get."""
        if self._mean is None:
            return 1
        fair = -(-waiting // max(1, workers))
        return max(1, min(_MOST, fair, int(self.worth / max(self._mean, 1e-6))))

    @property
    def depth(self) -> int:
        """How often a worker is given calls before it has worked off the first.

        Two where they are short: it need not wait for the next. What is long waits here, so that
        whichever worker is free first gets it.
        """
        return 1 if self._mean is None or self._mean >= self.worth else 2
