"""The other nodes of a multi-node job, seen through the store.

Batch looks at the main node alone: when it ends, the others are stopped and the job is over; when
another one dies, nothing happens.
https://docs.aws.amazon.com/batch/latest/userguide/job-lifecycle.html

So the main node ends only when the others have, and fails as soon as one of them has failed. It
sees them all in one listing of outcomes every few seconds and, more rarely, one of claims, which
the others write anew to show that they live.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from nbbatch.errors import NbbatchError
from nbbatch.wire import envelope, keys, spec
from nbbatch.wire.spec import Outcome
from nbbatch.wire.store import ListingStore
from nbbatch.worker.run import report
from nbbatch.worker.run.identity import Identity


class Pace(NamedTuple):
    """Seconds, by what the calls cost.

    `look`: between two looks at the outcomes. `pulse`: between two signs of life. `silence`:
    without one, until a node counts as dead. `failed`: that a main node which has failed itself
    gives to the others, one of which may have failed first.
    """

    look: float
    pulse: float
    silence: float
    failed: float


PACES = {"file": Pace(0.05, 1.0, 60.0, 1.0), "s3": Pace(3.0, 30.0, 180.0, 4.0)}
#: The same as `look` once the main node only waits.
_LOOK_AT_END = 1.0
#: Seconds that the others have to start once the main node's code is done; as Metaflow's.
START = 600.0


class Failed(NamedTuple):
    """A node that failed: its index, its exit code, whether trying again is of no use, and why."""

    node: int
    code: int
    final: bool
    text: str


class Peers:
    """The other nodes, as one node sees them.

    Attributes
    ----------
    failed
        The first node that was seen to have failed; only the main node looks.
    """

    def __init__(
        self, store: ListingStore, identity: Identity, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.failed: Optional[Failed] = None
        self.pace = PACES[store.url.partition(":")[0]]
        self._store = store
        self._me = identity
        self._clock = clock
        self._main = identity.part == identity.main
        self._out = set(range(identity.nodes)) - {identity.part} if self._main else set()
        self._alive: Dict[int, Tuple[float, float]] = {}
        self._next = clock() + (0.0 if self._main else self.pace.pulse)
        self._next_claims = 0.0
        self._well = True
        self._patience = float("inf")

    def turn(self) -> None:
        """Do what is due; a store that is out of reach is asked again later."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + (self.pace.look if self._main else self.pace.pulse)
        try:
            if self._main:
                self._look(now)
            else:
                self._show_life()
        except OSError:
            pass

    def done(self, *, well: bool) -> None:
        """Take it that this node's own code is done, and `well` or not."""
        # There is nothing else to do, and somebody may wait for the result.
        self.pace = self.pace._replace(look=min(self.pace.look, _LOOK_AT_END))
        self._well = well
        self._patience = self._clock() + (START if well else self.pace.failed)
        self._next = 0.0

    def waiting(self) -> bool:
        """Tell whether others are still to be waited for."""
        if self.failed is not None or not self._out:
            return False
        if self._clock() < self._patience:
            return True
        unheard = sorted(self._out - set(self._alive))
        if self._well and unheard:
            self._fail(unheard[0], f"it did not start within {START:.0f} s of the main node's end")
        return self._well and self.failed is None

    def ending(self, outcome: Outcome, signal: str, *, last: bool) -> Outcome:
        """Return how the job is to end for Batch, after this node's own `outcome`.

        Parameters
        ----------
        signal
            The one that asked this node to end, if any.
        last
            Whether this is the last attempt.
        """
        failed = self.failed
        if outcome.status not in (spec.OK, spec.TERMINATED) or outcome.loss:
            return outcome
        if signal:
            cut_off = outcome.status == spec.OK and self._out
            ended = replace(outcome, status=spec.TERMINATED, signal=signal, final=last)
            return ended if cut_off else outcome
        if failed is not None:
            # By the other one's code, so that Batch decides about a retry as if it were its job's.
            final = last or failed.final
            changed = replace(outcome, status=spec.TERMINATED, final=final)
            return replace(changed, blames=failed.node, exit_code=failed.code)
        return outcome

    def _look(self, now: float) -> None:
        me = self._me
        for key, _, _ in self._store.list(keys.outcome(me.job, me.attempt) + "/"):
            node = keys.part_of(key)
            if node in self._out:
                self._take(node)
        if self._out and now >= self._next_claims:
            self._next_claims = now + self.pace.pulse
            self._look_for_life(now)

    def _take(self, node: int) -> None:
        me = self._me
        data = self._store.get(keys.outcome(me.job, me.attempt, node)) or b""
        self._out.discard(node)
        try:
            opened = envelope.unseal(data, me.key, spec.OUTCOME, keys.owner(me.job, node))
        except NbbatchError as error:
            self._fail(node, str(error), final=True)
            return
        outcome = Outcome.from_meta(opened.meta)
        if outcome.status != spec.OK:
            self._fail(node, _reason(outcome), report.exit_code(outcome), final=outcome.final)

    def _look_for_life(self, now: float) -> None:
        me = self._me
        for key, _, modified in self._store.list(keys.claim(me.job, me.attempt) + "/"):
            node = keys.part_of(key)
            if modified != self._alive.get(node, (0.0, 0.0))[0]:
                self._alive[node] = modified, now
        for node in sorted(self._out & set(self._alive)):
            silent = now - self._alive[node][1]
            if silent > self.pace.silence:
                self._fail(node, f"it has said nothing for {silent:.0f} s")

    def _show_life(self) -> None:
        me = self._me
        self._store.put(me.claiming.name, [me.claim()])

    def _fail(self, node: int, why: str, code: int = 1, *, final: bool = False) -> None:
        text = f"node {node} of {self._me.nodes} failed: {why}"
        self.failed = self.failed or Failed(node, code, final, text)


def _reason(outcome: Outcome) -> str:
    if outcome.failures:
        first = outcome.failures[0]
        return f"{first.ename}: {first.evalue}" if first.evalue else first.ename
    return outcome.what or outcome.signal or f"exit code {outcome.exit_code}"
