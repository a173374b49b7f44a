"""What an array's children say that were refused for their libraries, as all of them will be."""

from __future__ import annotations

from nbbatch.backends.base import ClientStore
from nbbatch.futures.telling.story import Teller, read_chapter
from nbbatch.wire.frames import Frame
from nbbatch.wire.spec import Outcome

__all__ = ["Refusal"]

#: Objects of a child's story in which it tells of its image, if it does.
_BEGINNING = 3


class Refusal:
    """Listens to the first child that was refused, until it has said what its image has.

    Its outcome may be there before its story: the process that tells it writes when it can.

    Parameters
    ----------
    outcome
        What became of the child.
    teller
        Who tells its story, and in which attempt.

    Attributes
    ----------
    outcome
        The same.
    heard
        Whether the child has told of its image, or has said all that it will.
    """

    def __init__(self, store: ClientStore, outcome: Outcome, teller: Teller, attempt: int) -> None:
        self.outcome = outcome
        self.heard = False
        self._store = store
        self._teller = teller
        self._attempt = attempt
        self._number = 0

    def hear(self) -> list[Frame]:
        """Return what the child says of its image, if that is new; looks only as far as needed."""
        while not self.heard:
            found = read_chapter(self._store, self._teller, self._attempt, self._number)
            if found is None:
                break
            self._number += 1
            said = [each for each in found if each["kind"] == "image"]
            ended = self._number == _BEGINNING or found[-1]["kind"] == "end"
            self.heard = bool(said) or ended
            if said:
                return said
        return []
