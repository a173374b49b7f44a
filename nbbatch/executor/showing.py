"""An executor as a person sees it: its workers, how many calls are done, what the workers print."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nbbatch.executor.call import Call
from nbbatch.executor.member import Member
from nbbatch.facts import JobFacts, NodeFacts, Progress, State
from nbbatch.widgets import View, show
from nbbatch.wire.frames import Frame

__all__ = ["Shown", "Tally"]

#: Workers that have ended and are shown still; the first ones go first.
_ENDED = 50


class Tally:
    """Counts the calls of an executor; from any thread.

    Attributes
    ----------
    all, done, failed
        How many were submitted, have ended, and have raised; the failed are among the done.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.all = self.done = self.failed = 0

    def add(self, call: Call[Any]) -> None:
        """Count a call that is submitted."""
        with self._lock:
            self.all += 1
        call.add_done_callback(self._ended)

    def _ended(self, call: Any) -> None:
        with self._lock:
            if call.cancelled():
                self.all -= 1
                return
            self.done += 1
            self.failed += bool(call.raised)

    def __str__(self) -> str:
        waiting = self.all - self.done
        texts = [f"{self.done:,} of {self.all:,} calls done"]
        texts += [f"{self.failed:,} failed"] if self.failed else []
        return ", ".join(texts + ([f"{waiting:,} to come"] if waiting else []))


class Shown:
    """The card of an executor, below the cell that has submitted the first call.

    Parameters
    ----------
    about
        What all its workers have in common: name, backend, what was asked for.

    Attributes
    ----------
    stop
        Stops the workers, and drops the calls.
    """

    stop: Callable[[], None]

    def __init__(self, about: JobFacts, tally: Tally) -> None:
        self._about = about
        self._tally = tally
        self._cancelled = False
        self._lock = threading.RLock()
        self._view: View | None = None
        self._early: list[Frame] = []
        self._workers: dict[Member, NodeFacts] = {}
        self._began = 0.0

    @property
    def open(self) -> bool:
        """Whether it is on show now."""
        return self._view is not None

    def cancel(self) -> None:
        """Stop the workers: the person has asked for it, or their code has."""
        self._cancelled = True
        self.stop()

    def begin(self) -> None:
        """Put it below the cell that runs; in the main thread."""
        self._began = time.time()
        self._workers.clear()
        facts = self._facts("")
        view = show(facts, cancel=self.cancel)
        view.release()
        with self._lock:
            self._view = view

    def write(self, frames: list[Frame]) -> None:
        """Show what a worker has printed."""
        with self._lock:
            for frame in frames:
                if self._view is not None and frame["kind"] == "stream":
                    self._view.write(frame["name"], frame["text"])

    def look(self, members: list[Member]) -> None:
        """Show how the workers are; leave the plain form once nobody works any more."""
        with self._lock:
            if self._view is None:
                return
            for member in members:
                self._workers[member] = _worker(member)
            gone = [each for each in self._workers if each not in members]
            for member in gone:
                self._workers[member] = _worker(member)
            for member in gone[:-_ENDED]:
                del self._workers[member]
            if members or self._tally.done < self._tally.all:
                self._view.update(self._facts(""))
            else:
                self._end()

    def _end(self) -> None:
        """Leave the plain form in its place."""
        outcome = "error" if self._tally.failed else "ok"
        view, self._view = self._view, None
        if view is not None:
            view.finish(self._facts("cancelled" if self._cancelled else outcome))

    def _facts(self, outcome: str) -> JobFacts:
        now, tally = time.time(), self._tally
        workers = tuple(self._workers.values())
        begun = [each.started_at for each in workers if each.started_at is not None]
        bar = Progress("calls", "Calls", tally.done, tally.all, "", self._began, now)
        state = State.RUNNING if begun else State.SUBMITTED
        ended = {"ok": State.SUCCEEDED, "": state}.get(outcome, State.FAILED)
        return replace(
            self._about,
            id=next((member.job.id for member in self._workers), ""),
            state=ended,
            outcome=outcome,
            submitted_at=self._began,
            started_at=max(min(begun), self._began) if begun else None,
            stopped_at=now if outcome else None,
            message=f"{tally.failed:,} of {tally.all:,} calls failed" if tally.failed else "",
            workers=workers,
            progress=(replace(bar, closed=bool(outcome)),),
        )


def _worker(member: Member) -> NodeFacts:
    facts = member.job.facts
    known: Mapping[str, Any] = facts.given
    doing = f"{member.calls:,} calls" if member.calls > 1 else "a call" if member.calls else "idle"
    return NodeFacts(
        state=facts.state,
        given={key: known[key] for key in ("host", "instance") if key in known},
        started_at=facts.started_at,
        stopped_at=facts.stopped_at,
        message=facts.message or (doing if facts.state is State.RUNNING else ""),
        usage=facts.usage,
        peak=facts.peak,
    )
