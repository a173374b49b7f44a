"""How a job ended: which of its nodes decided that, and what there is to say about it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nbbatch.backends.base import Runner
from nbbatch.errors import NbbatchError
from nbbatch.facts import JobFacts, Loss, Status
from nbbatch.futures.diagnosis import diagnose, outcome_word, raised
from nbbatch.futures.labels import MAIN
from nbbatch.futures.strand import Strand
from nbbatch.futures.tracker import Tracker
from nbbatch.wire import spec
from nbbatch.wire.spec import Outcome

#: Why a whole job ends from outside, whatever became of its nodes.
_WHOLE = (Loss.CANCELLED, Loss.TIMEOUT, Loss.SPOT)


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
    node = deciding(tracker.strands)
    outcome = tracker.strands[node].outcome
    several = len(tracker.strands) > 1
    place = f"node {node} of {len(tracker.strands)}" if several else ""
    whole = tracker.status is not None and tracker.status.loss in _WHOLE
    error = tracker.failure or diagnose(
        _facts_of(tracker.facts, node),
        outcome,
        _status_of(tracker.status, node),
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


def deciding(strands: Sequence[Strand]) -> int:
    """Return the index of the node that failed first; the main node's where none has.

    Nodes that were told to end come last: that is what becomes of them when another one fails.
    One that said nothing at its end died when it was last heard of.
    """
    failed = [i for i, strand in enumerate(strands) if not _well(strand.outcome)]
    if not failed:
        return MAIN
    own = any(_failed_itself(strands[i]) for i in failed)
    return min(failed, key=lambda i: (_told_to_end(strands[i], own), _when(strands[i]), i))


def _well(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status == spec.OK


def _failed_itself(strand: Strand) -> bool:
    own = (spec.ERROR, spec.REFUSED, spec.DIED)
    return strand.outcome is not None and strand.outcome.status in own


def _told_to_end(strand: Strand, own: bool) -> bool:
    """Tell whether a node failed only because others did; `own` says whether any other may have."""
    if strand.outcome is None:
        # Never heard of, while another one failed: it had no time to start.
        return strand.spoke_at is None and own
    return strand.outcome.status == spec.TERMINATED


def _when(strand: Strand) -> float:
    return float("inf") if strand.spoke_at is None else strand.spoke_at


def _others(strands: Sequence[Strand], first: int) -> str:
    """Name the other nodes that failed by themselves."""
    names = [str(i) for i, each in enumerate(strands) if i != first and _failed_itself(each)]
    if not names:
        return ""
    return f"; node{'s' if len(names) > 1 else ''} {', '.join(names)} failed too"


def _facts_of(facts: JobFacts, node: int) -> JobFacts:
    return replace(facts, peak=facts.nodes[node].peak) if facts.nodes else facts


def _status_of(status: Status | None, node: int) -> Status | None:
    """Return what the backend says of a node, or of the job where that says more."""
    if status is None or not status.nodes or status.loss in _WHOLE:
        return status
    return status.nodes[node]


def _last_words(tracker: Tracker, runner: Runner, node: int) -> str:
    """Return the end of the container's own log: what the worker could not say itself."""
    id_ = tracker.facts.batch_job_id
    try:
        lines = deque(runner.log(f"{id_}#{node}" if tracker.facts.nodes else id_), maxlen=3)
    except NbbatchError:
        return ""
    return " / ".join(line.strip() for line in lines if line.strip())
