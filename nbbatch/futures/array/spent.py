"""How long the children of an array have run, by the times of what they have left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nbbatch.wire import keys

__all__ = ["Ran", "Spent"]

#: The name of an object, and when it was written: seconds since the epoch.
Listed = tuple[str, float]


class Ran(NamedTuple):
    """How long all attempts have run together.

    Attributes
    ----------
    seconds
        Of those that have ended.
    live
        How many run.
    since
        When these have begun, on average: seconds since the epoch.
    """

    seconds: float = 0.0
    live: int = 0
    since: float = 0.0


class Spent:
    """The attempts of all children: a claim says when one began, an outcome when it ended."""

    def __init__(self) -> None:
        self._begun: dict[tuple[int, int], float] = {}
        self._ended: dict[tuple[int, int], float] = {}

    def take_claims(self, listed: Iterable[Listed]) -> None:
        """Take a listing of all claims."""
        self._begun = _times(listed)

    def take_outcomes(self, listed: Iterable[Listed]) -> None:
        """Take a listing of all outcomes."""
        self._ended = _times(listed)

    @property
    def complete(self) -> bool:
        """Whether it is known of all that have ended when they began."""
        return self._ended.keys() <= self._begun.keys()

    def ran(self, *, over: bool) -> Ran:
        """Return how long they have run; where all is `over`, none does any more.

        An attempt that left nothing and was followed by another one ran until then at most. A
        last one of that kind is passed over: nobody tells when it ended.
        """
        seconds, live = 0.0, []
        for (child, attempt), began in self._begun.items():
            following = self._begun.get((child, attempt + 1))
            ended = self._ended.get((child, attempt), following)
            if ended is not None:
                seconds += max(0.0, ended - began)
            elif not over:
                live.append(began)
        return Ran(seconds, len(live), sum(live) / len(live) if live else 0.0)


def _times(listed: Iterable[Listed]) -> dict[tuple[int, int], float]:
    found = ((keys.of_child(name), at) for name, at in listed)
    return {(own.child, own.attempt): at for own, at in found if own is not None and not own.mark}
