"""How a job ended: which of its nodes decided that, and what there is to say about it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nbbatch.backends.base import Runner
from nbbatch.errors import NbbatchError
from nbbatch.facts import JobFacts, Loss
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.futures.returning.diagnosis import diagnose, outcome_word, raised
from nbbatch.futures.telling.labels import MAIN
from nbbatch.futures.watching.strand import Strand, failed_itself
from nbbatch.futures.watching.tracker import WHOLE, Tracker


@dataclass(frozen=True)
class Ending:
    """How a job ended.

    Attributes
    ----------
    node
        The index of the strand that decided it.
    error
        Why there are no values; None where the code ran, or raised by itself.
    word, message
        `JobFacts.outcome`, and the line that goes with it.
    note
        What to say beside an exception that a node raised.
    """

    node: int
    error: NbbatchError | None
    word: str
    message: str
    note: str = ""


def find_ending(tracker: Tracker, runner: Runner) -> Ending:
    """Say how a job that is settled has ended."""
    if isinstance(tracker, ArrayTracker):
        return _of_array(tracker)
    node = tracker.decided
    outcome = tracker.strands[node].outcome
    several = len(tracker.strands) > 1
    place = f"node {node} of {len(tracker.strands)}" if several else ""
    whole = tracker.status is not None and tracker.status.loss in WHOLE
    error = tracker.failure or diagnose(
        _facts_of(tracker.facts, node),
        outcome,
        tracker.status_of(node),
        cancelled=tracker.cancelled_here,
        last_words="" if outcome is not None else _last_words(tracker, runner, node),
        place="" if whole else place,
    )
    word = outcome_word(outcome, error)
    message = error.what if error is not None else raised(outcome)
    if not several or word in ("ok", "cancelled"):
        return Ending(node, error, word, message)
    others = _others(tracker.strands, node)
    if error is None:
        message = f"{place}: {message}"
    return Ending(node, error, word, message + others, f"raised by {place} of the job{others}")


def _of_array(tracker: ArrayTracker) -> Ending:
    """Say how an array has ended: each child that failed has an error of its own."""
    failed, size = tracker.roster.failed(), tracker.roster.size
    if tracker.failure is not None:
        return Ending(MAIN, tracker.failure, "lost", tracker.failure.what)
    if not failed:
        return Ending(MAIN, None, "ok", "")
    if tracker.cancelled_here or tracker.loss() is Loss.CANCELLED:
        cancelled = tracker.cancelled_here
        error = diagnose(tracker.facts, None, tracker.status, cancelled=cancelled)
        return Ending(MAIN, error, "cancelled", error.what if error is not None else "")
    first = tracker.roster.messages.get(failed[0], "")
    count = f"{len(failed):,} of {size:,} failed" if size > 1 else "it failed"
    said = f"{count}: child {failed[0]}: {first}" if first else f"{count}, child {failed[0]} first"
    return Ending(MAIN, None, "lost" if tracker.roster.lost else "error", said)


def _others(strands: Sequence[Strand], first: int) -> str:
    """Name the other nodes that failed by themselves."""
    names = [str(i) for i, each in enumerate(strands) if i != first and failed_itself(each)]
    if not names:
        return ""
    return f"; node{'s' if len(names) > 1 else ''} {', '.join(names)} failed too"


def _facts_of(facts: JobFacts, node: int) -> JobFacts:
    return replace(facts, peak=facts.nodes[node].peak) if facts.nodes else facts


def _last_words(tracker: Tracker, runner: Runner, node: int) -> str:
    """Return the end of the container's own log: what the worker could not say itself."""
    id_ = tracker.facts.batch_job_id
    try:
        lines = deque(runner.log(f"{id_}#{node}" if tracker.facts.nodes else id_), maxlen=3)
    except NbbatchError:
        return ""
    return " / ".join(line.strip() for line in lines if line.strip())
