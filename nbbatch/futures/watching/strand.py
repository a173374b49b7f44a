"""What one process of a job has said so far: its frames in order, and its outcome."""

from __future__ import annotations

import time
from collections.abc import Sequence

from nbbatch.backends.base import ClientStore
from nbbatch.futures.telling.labels import MAIN
from nbbatch.futures.telling.story import Teller, read_chapter
from nbbatch.wire import keys, spec
from nbbatch.wire.claims import Claiming, claimant
from nbbatch.wire.envelope import Envelope, broken, unseal
from nbbatch.wire.frames import Frame
from nbbatch.wire.spec import Outcome

#: Frames objects read in one go, before other jobs have their turn; each may be half a megabyte.
_BURST = 8


#: Characters of output that are kept.
_KEPT = 4 << 20


class Strand:
    """One attempt of one process: a job's only one, or that of a node.

    Attributes
    ----------
    outcome, envelope
        Once there is one: what it says, and the sealed object that holds the values.
    end
        The last frame, once it has come.
    ended_at
        When its outcome was found, by our clock.
    sealed
        The outcome as it lies in the store.
    story
        All its frames of this attempt; None where nobody wants them (`keep`), or not all were
        heard, or they are too many.
    """

    def __init__(self, store: ClientStore, teller: Teller) -> None:
        self._store = store
        self._teller = teller
        #: When it last said something, in each attempt.
        self._spoke: dict[int, float] = {}
        self._keeps = False
        self.restart(1)

    @property
    def part(self) -> int | None:
        """The node's index; None where the job has but one process."""
        return self._teller.part

    @property
    def spoke_at(self) -> float | None:
        """When it last said something in this attempt, by its own clock; None for never."""
        return self._spoke.get(self.attempt)

    def restart(self, attempt: int, *, told: bool = False) -> None:
        """Follow another attempt, from its beginning, or from its end where that was `told`."""
        self.attempt = attempt
        self._told = told
        self._number = 0
        self.outcome: Outcome | None = None
        self.envelope: Envelope | None = None
        self.end: Frame | None = None
        self.ended_at: float | None = None
        self.sealed: bytes = b""
        self.story: list[Frame] | None = [] if self._keeps and not told else None
        self._kept = 0

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
        self._note(new)
        if new:
            self._spoke[self.attempt] = float(new[-1]["t"])
        return new

    def claimed_by(self) -> str:
        """Return the backend's id of the job that makes this attempt, once one does."""
        claiming = Claiming(self._teller.key, self._teller.job, self.attempt, self._teller.part)
        return claimant(claiming, self._store.get(claiming.name))

    def keep(self) -> None:
        """Keep from now on what it says."""
        self._keeps, self.story = True, [] if not self._number else None

    def _note(self, new: list[Frame]) -> None:
        if self.story is None:
            return
        self.story += new
        self._kept += sum(map(_weight, new))
        if self._kept > _KEPT:
            self.story = None

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
        self.envelope, self.outcome, self.sealed = envelope, outcome, data
        self.ended_at = time.time()
        return True


def _weight(item: Frame) -> int:
    """Return about how many characters a frame has."""
    return 200 + len(item.get("text", "")) + sum(map(len, map(str, item.get("data", {}).values())))


def deciding(strands: Sequence[Strand]) -> int:
    """Return the index of the node that failed first; the main node's where none has.

    Nodes that were told to end come last: that is what becomes of them when another one fails.
    One that said nothing at its end died when it was last heard of.
    """
    failed = [i for i, strand in enumerate(strands) if not _well(strand.outcome)]
    if not failed:
        return MAIN
    own = any(failed_itself(strands[i]) for i in failed)
    return min(failed, key=lambda i: (_told_to_end(strands[i], own), _when(strands[i]), i))


def _well(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status == spec.OK


def failed_itself(strand: Strand) -> bool:
    """Tell whether a node's end was its own doing."""
    own = (spec.ERROR, spec.REFUSED, spec.DIED)
    outcome = strand.outcome
    return outcome is not None and (outcome.status in own or bool(outcome.loss))


def _told_to_end(strand: Strand, own: bool) -> bool:
    """Tell whether a node failed only because others did; `own` says whether any other may have."""
    if strand.outcome is None:
        # Never heard of, while another one failed: it had no time to start.
        return strand.spoke_at is None and own
    return not failed_itself(strand)


def _when(strand: Strand) -> float:
    return float("inf") if strand.spoke_at is None else strand.spoke_at
