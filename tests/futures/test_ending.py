"""Which node of a job decided how it ended, and what there is to say about the others."""

from __future__ import annotations

from typing import Any

import pytest

from nbbatch import errors
from nbbatch.facts import JobFacts, Loss, NodeFacts, State, Status, Usage
from nbbatch.futures.returning.ending import find_ending
from nbbatch.futures.watching.strand import Strand, deciding
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.wire import spec
from nbbatch.wire.spec import Failure, Outcome

BOOM = (Failure("ValueError", "boom"),)


def strand(said: Outcome | None, spoke_at: float | None) -> Any:
    """Make the story of a node that ended with `said`, and was last heard of at `spoke_at`."""
    made = Strand(None, None)  # type: ignore[arg-type]
    made.outcome = said
    if spoke_at is not None:
        made._spoke[1] = spoke_at
    return made


OK = Outcome(spec.OK)
ERROR = Outcome(spec.ERROR, failures=BOOM)
DIED = Outcome(spec.DIED, exit_code=137, signal="SIGKILL", out_of_memory=True)
ENDED = Outcome(spec.TERMINATED, signal="SIGTERM")
TOO_LONG = Outcome(spec.TERMINATED, loss="timeout")
BLAMES_2 = Outcome(spec.TERMINATED, blames=2, exit_code=1)


@pytest.mark.parametrize(
    ("strands", "wanted"),
    [
        ([(OK, 5), (OK, 4)], 0),
        ([(OK, 5), (ERROR, 4)], 1),
        ([(ERROR, 5), (ERROR, 4)], 1),
        ([(BLAMES_2, 3), (ENDED, 2), (ERROR, 4)], 2),
        ([(ERROR, 5), (None, 4)], 1),
        ([(ENDED, 5), (ENDED, 4), (None, 6)], 2),
        ([(OK, 5), (None, None)], 1),
        ([(ENDED, 4), (TOO_LONG, 5)], 1),
        ([(ERROR, 5), (None, None)], 0),
        ([(BLAMES_2, 5), (ENDED, 6), (None, None)], 2),
    ],
)
def test_who_failed_first(strands: list[tuple[Outcome | None, float | None]], wanted: int) -> None:
    """The first by time, but for those that ended only because another one had failed."""
    assert deciding([strand(*each) for each in strands]) == wanted


class Runner:
    """A runner that only has logs."""

    def log(self, id_: str) -> list[str]:
        return [f"last words of {id_}"]


def tracker(*strands: Any, status: Status | None = None) -> Any:
    """Make a tracker that has seen all."""
    facts = JobFacts("id", "name", "aws", batch_job_id="abc", asked={"memory": 100})
    made = Tracker(None, b"", facts, nodes=len(strands))  # type: ignore[arg-type]
    peaks = [Usage(memory=n << 30) for n in range(len(strands))]
    made.facts = JobFacts(
        **{**vars(facts), "nodes": tuple(NodeFacts(peak=peak) for peak in peaks)},
    )
    made.strands = list(strands)
    made.status = status
    return made


def test_the_others_that_failed_are_named() -> None:
    """One node's exception is raised; the rest are in the message and in the note."""
    several = tracker(strand(ERROR, 5), strand(ERROR, 4), strand(DIED, 6), strand(ENDED, 7))
    found = find_ending(several, Runner())  # type: ignore[arg-type]
    assert found.message == "node 1 of 4: ValueError: boom; nodes 0, 2 failed too"
    assert found.note == "raised by node 1 of 4 of the job; nodes 0, 2 failed too"
    assert (found.node, found.error, found.word) == (1, None, "error")


def test_a_node_without_memory() -> None:
    """The figures are that node's."""
    found = find_ending(tracker(strand(OK, 5), strand(DIED, 4)), Runner())  # type: ignore[arg-type]
    assert isinstance(found.error, errors.OutOfMemoryError)
    assert found.error.what == "node 1 of 2 of job id (name) ran out of memory"
    assert "1024 MiB were seen" in found.error.cause


def test_a_node_of_which_only_the_backend_knows() -> None:
    """Its own state says why; its own container's log has the last words."""
    nodes = (Status(State.FAILED), Status(State.FAILED, "CannotPull", Loss.IMAGE))
    status = Status(State.FAILED, "exit code 1", Loss.EXIT, exit_code=1, nodes=nodes)
    silent = tracker(strand(ENDED, 5), strand(None, None), status=status)
    found = find_ending(silent, Runner())  # type: ignore[arg-type]
    assert isinstance(found.error, errors.ImageError)
    assert found.error.what.startswith("node 1 of 2 of job id")
    assert found.error.cause == "CannotPull; last words of abc#1"


def test_a_node_whose_host_had_no_memory_left() -> None:
    """It could not say so itself; the job may start again with more all the same."""
    nodes = (Status(State.FAILED), Status(State.FAILED, "OutOfMemoryError", Loss.MEMORY))
    status = Status(State.FAILED, "exit code 1", Loss.EXIT, exit_code=1, nodes=nodes)
    silent = tracker(strand(ENDED, 5), strand(None, 4), status=status)
    assert silent.loss() is Loss.MEMORY
    found = find_ending(silent, Runner())  # type: ignore[arg-type]
    assert isinstance(found.error, errors.OutOfMemoryError)
    silent.status = Status(State.FAILED, "exit code 1", Loss.EXIT, exit_code=1)
    assert silent.loss() is Loss.EXIT


def test_a_job_that_is_cancelled_names_no_node() -> None:
    """All of it was cancelled."""
    status = Status(State.FAILED, "nbbatch: cancelled", Loss.CANCELLED)
    ended = tracker(strand(ENDED, 5), strand(ENDED, 4), status=status)
    found = find_ending(ended, Runner())  # type: ignore[arg-type]
    assert isinstance(found.error, errors.JobCancelledError)
    assert found.error.what == "job id (name) was cancelled"
    assert found.message == found.error.what
