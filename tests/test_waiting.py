"""A job that waits says why: on its card and in the list of jobs, at the price of a few calls."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aws_rig import ROLE, Rig, aws_rig
from batch_server import Fault

import nbbatch
from nbbatch import batch
from nbbatch.backends.aws.runner import BatchRunner
from nbbatch.facts import JobFacts, State, Status
from nbbatch.futures.watching import waiting
from nbbatch.futures.watching.changes import changed
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.futures.watching.waiting import Inquiry, explained
from nbbatch.session import current_session
from nbbatch.wire.frames import frame

NEXT = "it is the next one in queue; an instance for it is being started"


class Oracle:
    """Explains everything, and remembers who asked about what."""

    poll_seconds = 1.0

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.was_asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def explain(self, ids: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(list(ids))
        self.was_asked.set()
        self.may_answer.wait(300)
        return {id_: f"because of {id_}" for id_ in ids}


def tracker(id_: str, state: State = State.RUNNABLE) -> Tracker:
    facts = JobFacts(id=id_, name="x", backend="aws", batch_job_id=id_, state=state)
    return Tracker(None, b"", facts)  # type: ignore[arg-type]


class Minutes:
    """An inquiry whose clock the test moves."""

    def __init__(self) -> None:
        self.oracle = Oracle()
        self.now = 0.0
        self.inquiry = Inquiry(self.oracle, lambda: self.now)  # type: ignore[arg-type]

    def after(self, seconds: float, *trackers: Tracker) -> int:
        """Let time pass and the watcher look; return how often was asked by then."""
        self.now += seconds
        self.inquiry.consider(trackers)
        if self.inquiry._thread is not None:
            # It asks in a thread of its own.
            assert self.oracle.was_asked.wait(60)
            if self.oracle.may_answer.is_set():
                self.inquiry._thread.join(60)
        return len(self.oracle.asked)


def test_a_short_wait_is_not_asked_about() -> None:
    """Ten seconds are nothing: most jobs start before anybody has asked."""
    minutes, job = Minutes(), tracker("a")

    assert [minutes.after(s, job) for s in (0, 5, 4.9)] == [0, 0, 0]
    assert minutes.after(0.1, job) == 1
    assert job.wait_reason == "because of a"


def test_a_long_wait_is_asked_about_once_a_minute() -> None:
    """Nobody asks again before a minute is over, and then about all jobs together."""
    minutes, a, b = Minutes(), tracker("a"), tracker("b")
    minutes.after(0, a, b)

    assert [minutes.after(s, a, b) for s in (10, 10, 49, 1, 59, 1)] == [1, 1, 1, 2, 2, 3]
    assert minutes.oracle.asked == [["a", "b"]] * 3


def test_a_job_that_comes_later_need_not_wait_for_the_minute() -> None:
    """One that nobody has explained yet is asked about soon, with all others."""
    minutes, a, b = Minutes(), tracker("a"), tracker("b")
    minutes.after(0, a)
    minutes.after(10, a)

    assert [minutes.after(s, a, b) for s in (1, 9.9, 0.1)] == [1, 1, 2]
    assert minutes.oracle.asked[-1] == ["a", "b"]


def test_other_states_are_not_asked_about() -> None:
    """A job that starts, runs or has ended needs no explanation; one that waits again does anew."""
    minutes = Minutes()
    for state in (State.SUBMITTED, State.PENDING, State.STARTING, State.RUNNING, State.SUCCEEDED):
        minutes.after(0, tracker("a", state))
        assert minutes.after(100, tracker("a", state)) == 0
    minutes.after(0, tracker("a"))
    minutes.after(9, tracker("a", State.RUNNING))

    assert minutes.after(9, tracker("a")) == 0


def test_a_slow_answer_holds_nobody_up() -> None:
    """While an answer is awaited nothing else is asked, and the watcher goes on."""
    minutes, job = Minutes(), tracker("a")
    minutes.after(0, job)
    minutes.oracle.may_answer.clear()

    assert [minutes.after(s, job) for s in (10, 100, 100)] == [1, 1, 1]
    minutes.oracle.may_answer.set()
    assert minutes.after(0, job) in (1, 2)
    assert job.wait_reason == "because of a"


def test_the_reason_is_shown_while_the_job_waits() -> None:
    """It stands in the place of Batch's own words, and goes when the job starts."""
    job = tracker("a")
    job.wait_reason = "17 jobs are before it"
    job.take_states(Status(State.RUNNABLE, "UNDETERMINED"))
    waits = job.facts.message
    job.take_states(Status(State.STARTING, "starts"))

    assert (waits, job.facts.message) == ("17 jobs are before it", "starts")


def test_nothing_of_the_wait_is_left_once_the_job_runs() -> None:
    """The backend may lag behind what the job says itself; a further attempt waits anew."""
    job = tracker("a")
    job.take_states(Status(State.RUNNABLE))
    job.wait_reason = "17 jobs are before it"
    job.facts = changed(job.facts, [frame("started", given={})])
    job.take_states(Status(State.RUNNABLE))
    lagging = job.facts
    job.take_states(Status(State.RUNNING))
    job.take_states(Status(State.RUNNABLE, attempt=2))

    assert (lagging.state, lagging.message) == (State.RUNNING, "")
    assert (job.facts.state, job.facts.message) == (State.RUNNABLE, "")


def test_the_list_explains_those_that_wait_long() -> None:
    """Of all the jobs of a list, only those that have waited for a while are asked about."""
    oracle, known = Oracle(), {}
    for name, state, created in (
        ("old", State.RUNNABLE, 0.0),
        ("new", State.RUNNABLE, 95.0),
        ("runs", State.RUNNING, 0.0),
        ("odd", State.RUNNABLE, None),
    ):
        known[name] = Status(state, "said", created_at=created)
    found = explained(oracle, known, 100.0)  # type: ignore[arg-type]

    assert oracle.asked == [["old"]]
    assert {name: status.reason for name, status in found.items()} == {
        "old": "because of old",
        "new": "said",
        "runs": "said",
        "odd": "said",
    }


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Give this process a Batch without any capacity, and no patience at all."""
    with aws_rig(tmp_path) as rig:
        os.environ["NBBATCH_HOME"] = str(tmp_path / "home")
        monkeypatch.setattr(waiting, "PATIENCE", 0.0)
        monkeypatch.setattr(BatchRunner, "poll_seconds", 0.1)
        settings = {"s3_root": f"s3://{rig.bucket}/root", "queue": "queue", "iam_role": ROLE}
        nbbatch.configure(backend="aws", **settings)
        rig.batch.place.capacity.clear()
        yield rig


def until_said(job: Any, said: str) -> str:
    deadline = time.monotonic() + 60
    while said not in job.facts.message:
        assert time.monotonic() < deadline, job.facts
        time.sleep(0.02)
    return str(job.facts.message)


def test_a_waiting_job_says_why(rig: Rig) -> None:
    """The card's facts and the list have it; when there is room the job runs as ever."""
    job = batch(lambda: 42).submit()
    until_said(job, NEXT)
    listed = [facts.message for facts in nbbatch.jobs()]
    rig.batch.place.capacity.set()

    assert job.result(60) == 42
    assert [NEXT in message for message in listed] == [True]
    assert rig.batch.count()["getjobqueuesnapshot"] <= 2


def test_without_permissions_a_job_waits_silently(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing may be asked the job is followed as before."""
    # Nobody asks before the permissions are gone: the submit itself needs them.
    monkeypatch.setattr(waiting, "PATIENCE", 3600.0)
    job = batch(lambda: 42).submit()
    looks = ("describejobqueues", "describecomputeenvironments", "getjobqueuesnapshot")
    rig.batch.fault = lambda operation, _: Fault(403) if operation in looks else None
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    deadline = time.monotonic() + 60
    while rig.batch.count()["getjobqueuesnapshot"] < 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    asking = current_session()._watcher._inquiry._thread
    assert asking is not None
    asking.join(60)
    message = job.facts.message or job._tracker.wait_reason
    rig.batch.place.capacity.set()

    assert job.result(60) == 42
    assert message == ""


def test_the_local_backend_has_nothing_to_explain(local_session: Any) -> None:
    """There is no queue on this machine."""
    assert current_session().backend.runner.explain(["x"]) == {}
