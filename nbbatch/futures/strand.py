"""What one process of a job has said so far: its frames in order, and its outcome."""

from __future__ import annotations

import time

from nbbatch.backends.base import ClientStore
from nbbatch.futures.story import Teller, read_chapter
from nbbatch.wire import keys, spec
from nbbatch.wire.envelope import Envelope, broken, unseal
from nbbatch.wire.frames import Frame
from nbbatch.wire.spec import Outcome

#: Frames objects read in one go, before other jobs have their turn; each may be half a megabyte.
_BURST = 8


class Strand:
    """One attempt of one process: a job's only one, or that of a node.

    Attributes
    ----------
    outcome, envelope
        Once there is one: what it says, and the sealed object that holds the values.
    end
        The last frame, once it has come.
    spoke_at
        When it last said something, by its own clock; None where it has said nothing.
    ended_at
        When its outcome was found, by our clock.
    """

    def __init__(self, store: ClientStore, teller: Teller) -> None:
        self._store = store
        self._teller = teller
        self.restart(1)

    @property
    def part(self) -> int | None:
        """The node's index; None where the job has but one process."""
        return self._teller.part

    def restart(self, attempt: int, *, told: bool = False) -> None:
        """Follow another attempt, from its beginning, or from its end where that was `told`."""
        self.attempt = attempt
        self._told = told
        self._number = 0
        self.outcome: Outcome | None = None
        self.envelope: Envelope | None = None
        self.end: Frame | None = None
        self.spoke_at: float | None = None
        self.ended_at: float | None = None

    def read(self) -> list[Frame]:
        """Return what it has said since the last time."""
        new: list[Frame] = []
        for _ in range(0 if self._told else _BURST):
            found = read_chapter(self._store, self._teller, self.attempt, self._number)
            if found is None:
                break
            self._number += 1
            new += found
            if found[-1]["kind"] == "end":
                self.end, self._told = found[-1], True
                break
        if new:
            self.spoke_at = float(new[-1]["t"])
        return new

    def read_outcome(self) -> bool:
        """Fetch the outcome, if it is there and new, and check its seal."""
        if self.outcome is not None:
            return False
        job, part = self._teller.job, self._teller.part
        data = self._store.get(keys.outcome(job, self.attempt, part))
        if data is None:
            return False
        owner = keys.owner(job, part)
        envelope = unseal(data, self._teller.key, spec.OUTCOME, owner)
        outcome = Outcome.from_meta(envelope.meta)
        if outcome.attempt != self.attempt:
            raise broken(f"the outcome of attempt {self.attempt} of job {owner}")
        self.envelope, self.outcome = envelope, outcome
        self.ended_at = time.time()
        return True
