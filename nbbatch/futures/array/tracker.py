"""One array's story so far, from listings of its children's objects: no call for each child."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nbbatch.backends.base import Backend
from nbbatch.errors import BackendError, NbbatchError
from nbbatch.facts import Children, JobFacts, Loss, State, Status
from nbbatch.futures.array.pace import CLAIMED, Pace
from nbbatch.futures.array.refusal import Refusal
from nbbatch.futures.array.roster import TOLD, Roster, state_of_array
from nbbatch.futures.array.spent import Spent
from nbbatch.futures.array.used import Used
from nbbatch.futures.returning.diagnosis import diagnose, raised
from nbbatch.futures.telling.labels import MAIN, Label
from nbbatch.futures.telling.story import Teller
from nbbatch.futures.watching.strand import Strand
from nbbatch.futures.watching.tracker import WHOLE, Tracker
from nbbatch.wire import keys
from nbbatch.wire.frames import frame, stream
from nbbatch.wire.spec import Outcome

#: Failures whose reasons are read in one go: each costs a call.
_READ = 16


class ArrayTracker(Tracker):
    """Follows one array job; see `nbbatch.futures.watching.tracker.Tracker`.

    Attributes
    ----------
    roster
        The children.
    told
        What the backend says of those that failed without a word.
    asked
        Children whose outcomes were read at the end; whoever takes their results takes them out.
    looked
        Whether the children have been looked at, once or more.
    """

    def __init__(
        self,
        backend: Backend,
        key: bytes,
        facts: JobFacts,
        known: set[str] | None = None,
        before: int = 0,
    ) -> None:
        super().__init__(backend.store, key, facts, known, before=before)
        self.roster = Roster(facts.children or Children(0, 0))
        if before:
            self.roster.restart(before)
        self._refusal: Refusal | None = None
        self.told: dict[int, Status] = {}
        self._backend = backend
        self._key = key
        self._pace = Pace(facts.backend, many=self._many)
        self._spent = Spent()
        self.used = Used(self.roster.first)
        self._asked_use = False
        self.asked: dict[int, Strand] = {}
        self.looked = threading.Event()
        self._asked = 0
        self._began: float | None = None
        self._ended: float | None = None

    def strand(self, child: int) -> Strand:
        """Return what a child has said, in the last of its attempts that has ended."""
        found = Strand(self._backend.store, self.teller(child))
        ended = self.roster.ended.get(child)
        last = self.roster.attempt(child) if ended is None else ended.attempt
        found.restart(last, told=True)
        return found

    def teller(self, child: int) -> Teller:
        """Name who tells a child's story."""
        return Teller(self._key, self.facts.id, child)

    def ask_about(self, child: int) -> None:
        """Ask the backend about a child whose end is not explained by what it has left."""
        if child in self.told or self.roster.size == 1:
            return
        id_ = f"{self.facts.batch_job_id}:{child}"
        said = self._backend.runner.describe([id_]).get(id_)
        if said is not None:
            self.told[child] = said

    def read_frames(self) -> bool:
        """Look at the children, if that is due; tell whether there was anything new."""
        if self.roster.over:
            return self._explain()
        return self._pace.is_due() and self.look()

    def look(self) -> bool:
        """List what the children have left; tell whether there was anything new."""
        spent = time.thread_time()
        facts, store = self.facts, self._backend.store
        listed = [(name, at) for name, _, at in store.list(keys.outcomes(facts.id))]
        new = self.roster.take_outcomes(name for name, _ in listed)
        times = [at for _, at in listed]
        if not self.roster.all_begun and self._pace.claims_due():
            times += self._list_claims()
        if facts.prices:
            self._note_spent(listed)
        self._note_times(times)
        self._explain()
        self._tell_children()
        self._pace.looked(len(listed), time.thread_time() - spent, new=new)
        self.looked.set()
        return new

    def _list_claims(self) -> list[float]:
        """List who has begun; return when they did."""
        listed = self._backend.store.list(keys.claims(self.facts.id))
        claims = [(name, at) for name, _, at in listed]
        self.roster.take_claims(name for name, _ in claims)
        self._spent.take_claims(claims)
        return [at for _, at in claims]

    def _note_spent(self, outcomes: list[tuple[str, float]]) -> None:
        """Note how long the children have run, where that is known or has come to its end."""
        self._spent.take_outcomes(outcomes)
        over = self.roster.over
        if over and not self._spent.complete:
            self._list_claims()
        self.roster.ran = self._spent.ran(over=over) if over or not self._many else None

    @property
    def _many(self) -> bool:
        """Whether there are so many that their outcomes alone are looked at, and less often."""
        return self.roster.size > CLAIMED

    def _note_times(self, times: list[float]) -> None:
        if times and self._began is None:
            self._began = min(times)
            started = {**frame("started", given={}), "t": self._began}
            self.publish(self._past.read(self.facts, self._before + 1, MAIN, [started]))
        if times and self.roster.over:
            self._ended = max(times)
            ended = {**frame("end"), "t": self._ended}
            self.publish(self._past.read(self.facts, self._before + 1, MAIN, [ended]))

    def _tell_children(self) -> None:
        children = self.roster.children()
        facts = replace(
            self.facts, children=children, state=state_of_array(self.facts.state, children)
        )
        started, stopped = facts.started_at or self._began, facts.stopped_at or self._ended
        self.publish(self.used.on(replace(facts, started_at=started, stopped_at=stopped)))

    def _unexplained(self) -> list[int]:
        """Return the children that have failed, of the first, and nobody has found out why."""
        # Those that were ended with the whole have nothing to tell.
        failed = [] if self.cancelled_here else self.roster.failed()[:TOLD]
        return [child for child in failed if child not in self.roster.messages]

    def _explain(self) -> bool:
        """Read why children have failed, of some at a time, and say it; tell whether any have."""
        self._hear()
        chosen = self._unexplained()[:_READ]
        for child in chosen:
            message = self._reason(child)
            self.roster.messages[child] = message
            if message:
                text = f"{Label(child, 'child').text}{message}\n"
                self._show([stream("stderr", text)])
        if chosen and self.roster.over:
            self._tell_children()
        return bool(chosen)

    def _reason(self, child: int) -> str:
        strand = self.strand(child)
        if child in self.roster.ended:
            strand.read_outcome()
            self.used.take(child, strand.outcome)
        outcome = strand.outcome
        if outcome is not None and outcome.renew and self._refusal is None:
            store, attempt = self._backend.store, self.roster.attempt(child)
            self._refusal = Refusal(store, outcome, self.teller(child), attempt)
            self._hear()
        said = raised(outcome)
        if said:
            return said
        error = diagnose(self.facts, outcome, self.told.get(child), place="it")
        return error.cause if error is not None else ""

    def _hear(self) -> None:
        """Let those who want to know hear what a child that was refused says of its image."""
        if self._refusal is not None:
            self._show(self._refusal.hear())

    @property
    def outcome(self) -> Outcome | None:
        """What the first child says that was refused for its libraries: all will be."""
        return self._refusal.outcome if self._refusal is not None else None

    def go_on(self, batch_job_id: str, before: int, asked: Mapping[str, Any], note: str) -> None:
        """Follow the array that starts in this one's place; what still runs of it is ended."""
        with contextlib.suppress(BackendError):
            self._backend.runner.stop([self.facts.batch_job_id], note)
        super().go_on(batch_job_id, before, asked, note)
        self._forget(before)

    def begin_anew(self, batch_job_id: str, note: str) -> None:
        """Follow the array that is to run in the place of this one, of which nothing has."""
        super().begin_anew(batch_job_id, note)
        self._forget(self._before)

    def _forget(self, before: int) -> None:
        self.roster.restart(before)
        self.told, self._refusal = {}, None
        self.used.restart()
        self.asked, self._asked_use = {}, False
        self._pace.hurry()
        self._began = self._ended = None
        self.publish(replace(self.facts, children=self.roster.children(), started_at=None))

    def attempts_made(self) -> int:
        """Return how many attempts that child has made which has made the most."""
        self._list_claims()
        return max(map(self.roster.attempt, range(self.roster.size)), default=1)

    def take_status(self, status: Status) -> None:
        """Merge what the backend says, and find out about those that failed without a word."""
        self.take_states(status)
        silent = self.roster.silent_failures
        if not status.state.final and silent > 0 and silent != self._asked:
            # Batch may know of an end sooner than the last look.
            self.look()
            silent = self._asked = self.roster.silent_failures
            if silent > 0:
                self._ask_about_failures()

    def take_states(self, status: Status) -> None:
        """Merge what the backend says into the facts."""
        said = status.state
        if said is State.PENDING and not (status.children or status.reason):
            # It waits for nothing: its children are about to be.
            said = State.SUBMITTED
        self.roster.take_counts(status.children or {said: self.roster.size})
        children = self.roster.children()
        state = state_of_array(said, children)
        super().take_states(replace(status, state=state))
        self.status = status
        self.publish(replace(self.facts, children=children))

    def _ask_about_failures(self) -> None:
        self.told.update(self._backend.runner.failed(self.facts.batch_job_id))
        if not all(map(self.roster.is_over, self.told)):
            # Those that ended after the last look have left what says more.
            self.look()
        self.roster.lose(self.told)
        self._explain()
        self._tell_children()

    def settled(self) -> bool:
        """Tell whether all that can be known about the end is known."""
        if self.failure is not None:
            return True
        final = self.status is not None and self.status.state.final
        if self._refused is not None:
            return self._refused.heard or final
        if self.roster.over:
            return not self._unexplained() and self._ask_use()
        if not final:
            return False
        # Last words may have come between the last look and the end.
        self.look()
        self._bury()
        return self._ask_use()

    def _ask_use(self) -> bool:
        """Ask some of the children what they have used, once."""
        if not (self._asked_use or self.cancelled_here):
            self._asked_use = True
            # A help, no need.
            with contextlib.suppress(NbbatchError):
                for child in self.used.to_ask():
                    if child in self.roster.ended:
                        strand = self.strand(child)
                        strand.read_outcome()
                        self.used.take(child, strand.outcome)
                        self.asked[child] = strand
            self._tell_children()
        return True

    @property
    def _refused(self) -> Refusal | None:
        """Why the array is to start again with other libraries, as far as it can tell."""
        return None if self._before or self.cancelled_here else self._refusal

    def _bury(self) -> None:
        """Take it that those have failed that have left nothing, and will not."""
        unheard = self.roster.unheard()
        if not unheard:
            return
        if self.status is None or self.status.loss not in WHOLE:
            # A help, no need: they have failed, whatever is known about it.
            with contextlib.suppress(BackendError):
                self._ask_about_failures()
        self.roster.lose(unheard)
        while self._explain():
            pass
        self._tell_children()

    def skip_to_end(self) -> None:
        """Find out how an array that has ended did."""
        self.look()
        self._bury()
        while self._explain():
            pass
        self._ask_use()

    def retell(self, attempt: int) -> bool:
        """Look at what the children have left."""
        self.publish(replace(self.facts, attempt=attempt, cached=True))
        self.look()
        return self.roster.over and not self.roster.failed()

    def status_of_child(self, child: int) -> Status | None:
        """Return what the backend says of a child, or of the array where that says more."""
        whole = self.status
        if child in self.told or whole is None or whole.loss not in WHOLE:
            return self.told.get(child)
        return whole

    def read_outcomes(self) -> bool:
        """Nothing is read before somebody asks for it."""
        return False

    def loss(self) -> Loss | None:
        """Return why the backend says that the array as a whole ended."""
        return self.status.loss if self.status is not None else None
