"""The frozen facts about a job that the layers above the wire pass to each other.

A runner reports a `Status`; the watcher merges it with the job's own story into `JobFacts` and
publishes them; widgets draw them. A backend that examines itself reports `Finding`s. Nothing
here does anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from nbbatch.facts.arrays import Child, Children
from nbbatch.facts.states import Loss, State

__all__ = [
    "LOOPS",
    "SAMPLES",
    "Child",
    "Children",
    "Finding",
    "Gpu",
    "JobFacts",
    "Loss",
    "NodeFacts",
    "Progress",
    "Sample",
    "State",
    "Status",
    "Stay",
    "Usage",
    "Verdict",
]


#: Loops of a job whose progress is kept.
LOOPS = 20
#: Samples that are kept of a job, however long it runs.
SAMPLES = 120


@dataclass(frozen=True)
class Status:
    """What a runner knows about one job at one moment.

    Attributes
    ----------
    state
        As Batch names it.
    reason
        The backend's own words: Batch's ``statusReason`` and the container's ``reason``.
    loss
        The diagnosis, once `state` is FAILED; None while the job lives or where it succeeded.
    exit_code
        Of the last attempt's container; 128 + N where signal N killed it.
    attempt
        The attempt that runs or ran last, from 1.
    created_at, started_at, stopped_at
        Seconds since the epoch.
    given
        What was really allocated: ``cpu``, ``memory`` (MiB), ``gpu``, ``image``, ``host``, ...
    log
        Where the container's own log is, for `Runner.log`.
    url
        A page that shows the job, where there is one.
    log_url
        A page that shows that log, where there is one.
    nodes
        Those of a multi-node job, in order, where the backend has been asked about them.
    children
        How many of an array's children are in which state; empty of any other job. `state` is
        then PENDING while there is any that has not ended.
    stays
        The states of which the backend itself knows the times, of all attempts.
    endings
        Why attempts that were followed by another one ended, by their numbers.
    """

    state: State
    reason: str = ""
    loss: Loss | None = None
    exit_code: int | None = None
    attempt: int = 1
    created_at: float | None = None
    started_at: float | None = None
    stopped_at: float | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    url: str = ""
    log_url: str = ""
    nodes: tuple[Status, ...] = ()
    children: Mapping[State, int] = field(default_factory=dict)
    stays: tuple[Stay, ...] = ()
    endings: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gpu:
    """One GPU at one moment: utilisation in percent, memory in bytes."""

    name: str
    utilization: float
    memory: int
    memory_total: int


@dataclass(frozen=True)
class Usage:
    """What a job uses at one moment: cores (1.0 = one core busy), bytes.

    `memory_limit` and `disk_limit` are None where nothing limits the job, or it is not known.
    """

    cpu: float = 0.0
    memory: int = 0
    memory_limit: int | None = None
    disk: int = 0
    gpus: tuple[Gpu, ...] = ()
    disk_limit: int | None = None


@dataclass(frozen=True)
class Stay:
    """The time that an attempt spent in one state; `until` is None while it lasts.

    Seconds since the epoch: the backend's own where it tells, else the job's own, else when it was
    noticed here. A backend that tells no end has `until` None, too.
    """

    state: State
    attempt: int
    since: float
    until: float | None = None


@dataclass(frozen=True)
class Sample:
    """What a job used at one moment (seconds since the epoch)."""

    at: float
    usage: Usage


@dataclass(frozen=True)
class Progress:
    """How far a loop in the job has come.

    Attributes
    ----------
    id
        Tells it from the job's other loops.
    done, total
        In `unit`; `total` is None where the end is not known.
    started_at, at
        When it began, and when it said this, or ended: seconds since the epoch.
    rate
        How much is done in a second: of late, or all in all once it is over. None while that is
        not known.
    closed
        Whether the loop is over.
    """

    id: str
    label: str
    done: float
    total: float | None
    unit: str
    started_at: float
    at: float
    rate: float | None = None
    closed: bool = False


@dataclass(frozen=True)
class NodeFacts:
    """What one node of a multi-node job does; the names mean what they mean in `JobFacts`."""

    state: State = State.SUBMITTED
    given: Mapping[str, Any] = field(default_factory=dict)
    started_at: float | None = None
    stopped_at: float | None = None
    message: str = ""
    usage: Usage | None = None
    peak: Usage | None = None
    progress: tuple[Progress, ...] = ()


@dataclass(frozen=True)
class JobFacts:
    """All that is known about one job, as published after each change.

    Attributes
    ----------
    asked, given
        Resources as requested and as allocated (``cpu``, ``gpu``, ``memory`` in MiB, ...).
    outcome
        ``""`` while there is none; then ``"ok"``, ``"error"`` (the code raised), ``"cancelled"``,
        ``"lost"``, or ``"unstarted"`` (it was refused, or could not be submitted).
    message
        One line for people: why it waits, or why it ended so.
    usage, peak
        The latest sample, and the largest of each figure so far; of several nodes, the fullest's.
    nodes
        Those of a multi-node job, in order; none where there is but one.
    children
        Those of an array; None of any other job.
    workers
        Those of an executor: the facts are of all of them together then.
    stays
        The states of all attempts, the oldest first; they never overlap.
    endings
        Why attempts before the current one ended, by their numbers, as far as anybody told.
    samples
        What the current attempt used over time, thinned out to `SAMPLES` at most.
    progress
        Of the current attempt's loops that tell, the newest last; `LOOPS` at most.
    log_url
        A page that shows the container's own log, where there is one.
    cached
        Whether nothing was run: it is an earlier job, whose result was taken from the cache.
    prices
        Of an hour: of a ``vcpu``, a GB of ``memory``, a ``gpu``, of whole instances by the names of
        their types; and the ``currency``. Empty where none are configured.
    """

    id: str
    name: str
    backend: str
    state: State = State.SUBMITTED
    batch_job_id: str = ""
    attempt: int = 1
    attempts: int = 1
    asked: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    submitted_at: float = 0.0
    started_at: float | None = None
    stopped_at: float | None = None
    outcome: str = ""
    message: str = ""
    usage: Usage | None = None
    peak: Usage | None = None
    url: str = ""
    nodes: tuple[NodeFacts, ...] = ()
    stays: tuple[Stay, ...] = ()
    samples: tuple[Sample, ...] = ()
    progress: tuple[Progress, ...] = ()
    endings: Mapping[int, str] = field(default_factory=dict)
    log_url: str = ""
    prices: Mapping[str, Any] = field(default_factory=dict)
    children: Children | None = None
    workers: tuple[NodeFacts, ...] = ()
    cached: bool = False

    @property
    def done(self) -> bool:
        """Whether nothing about the job will change any more."""
        return bool(self.outcome)


class Verdict(str, Enum):
    """What a finding means for jobs."""

    OK = "ok"
    #: Jobs run, and something about them may surprise.
    WARNING = "warning"
    #: Jobs can't run, or can't bring anything back.
    WRONG = "wrong"
    #: It could not be told.
    SKIPPED = "skipped"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Finding:
    """One thing that was examined, as ``nbbatch doctor`` shows it.

    Attributes
    ----------
    name
        What was examined, in a word or two.
    found
        How it is, one sentence.
    cause
        Why, where something is wrong or could not be told.
    hint
        What to type next, where there is something to do.
    """

    name: str
    verdict: Verdict
    found: str
    cause: str = ""
    hint: str = ""
