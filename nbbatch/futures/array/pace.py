"""When the next listings of an array's objects are due: by what they cost, and what they find."""

from __future__ import annotations

import time

__all__ = ["CLAIMED", "Pace"]

#: Names that S3 lists with one call, and seconds for each such call.
_PAGE, _PER_PAGE = 1000, 3.5
#: Seconds between two listings, at least; each that finds nothing new makes it longer, up to the
#: second figure.
_LOOK = {"local": (0.05, 0.2), "aws": (1.0, 4.0)}
_LONGER = 1.3
#: Looking may take this part of a core, where it costs nothing else.
_LOAD = 0.05
#: The most children whose beginnings are listed too, and seconds between two such listings.
CLAIMED, _CLAIMS = 1000, {"local": 0.05, "aws": 5.0}


class Pace:
    """The times of one array's listings.

    Parameters
    ----------
    backend
        Where it is.
    many
        Whether there are so many children that their outcomes alone are listed, and less often.
    """

    def __init__(self, backend: str, *, many: bool) -> None:
        self._backend = backend
        self._many = many
        self._wait = _LOOK[backend][0]
        self._outcomes = self._claims = 0.0

    def hurry(self) -> None:
        """Take it that all listings are due."""
        self._outcomes = self._claims = 0.0

    def is_due(self) -> bool:
        """Tell whether the outcomes are to be listed."""
        return time.monotonic() >= self._outcomes

    def claims_due(self) -> bool:
        """Tell whether the claims are to be listed too; if so, they are taken to be."""
        now = time.monotonic()
        if self._many or now < self._claims:
            return False
        self._claims = now + _CLAIMS[self._backend]
        return True

    def looked(self, listed: int, spent: float, *, new: bool) -> None:
        """Take it that outcomes were listed.

        Parameters
        ----------
        listed
            How many there were.
        spent
            Seconds of processor time that it took.
        new
            Whether they said anything new.
        """
        least, most = _LOOK[self._backend]
        self._wait = least if new else min(self._wait * _LONGER, most)
        pages = max(int(self._many), listed // _PAGE)
        paid = _PER_PAGE * pages if self._backend != "local" else 0.0
        self._outcomes = time.monotonic() + max(self._wait, paid, spent / _LOAD)
