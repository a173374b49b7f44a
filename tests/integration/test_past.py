"""The time in each state, what was used over time, and where it ran, of jobs that really run."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, current
from nbbatch.facts import JobFacts, State, Stay
from nbbatch.futures import Job
from nbbatch.session import Session
from tests.integration.conftest import until
from tests.integration.test_attempts import Seen, reach, run

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("local_session")]
_MIB = 1 << 20


def twice() -> tuple[Job[Any], Seen]:
    """Run a job that uses a CPU and some memory for a while, and fails at first."""

    def busy() -> None:
        held = bytearray(64 << 20)
        # Long enough to be looked at twice, on a busy machine too.
        end = time.monotonic() + 2.5 * current.attempt
        while time.monotonic() < end:
            pass
        if current.attempt == 1:
            raise ValueError(f"{len(held)} bytes")

    job, seen = run(busy, retries=1, memory=1000)
    assert job.exception() is None
    return job, seen


def words(stays: tuple[Stay, ...]) -> list[tuple[int, str]]:
    return [(stay.attempt, str(stay.state)) for stay in stays]


WAY = ["RUNNABLE", "STARTING", "RUNNING"]
TWICE = [(1, "SUBMITTED"), *((1, word) for word in WAY), *((2, word) for word in WAY)]


def found_again(job: Job[Any]) -> JobFacts:
    again = nbbatch.attach(job.id)
    assert again.wait(60)
    return again.facts


def test_the_past_of_two_attempts(local_session: Session) -> None:
    """Each state has its time; the samples are the last attempt's; both are there again later."""
    job, seen = twice()
    facts = job.facts
    times = [time for stay in facts.stays for time in (stay.since, stay.until or 0)]

    assert words(facts.stays) == TWICE
    assert times == sorted(times)
    assert all((s.until or 0) - s.since > 1.5 for s in facts.stays if s.state is State.RUNNING)
    assert facts.endings == {1: f"ValueError: {64 * _MIB} bytes"}
    assert len(facts.samples) >= 2
    assert facts.samples[0].at > facts.stays[4].since
    assert max(sample.usage.memory for sample in facts.samples) > 64 * _MIB
    assert all(sample.usage.disk_limit for sample in facts.samples)
    assert facts.given["platform"] == "this machine"
    # The second attempt came after the first; whoever looks late finds it RUNNING already.
    states = [(facts.attempt, facts.state) for facts in seen.facts]
    first = [attempt for attempt, _ in states].index(2)
    assert (1, State.RUNNING) in states[:first]
    assert {attempt for attempt, _ in states[first:]} == {2}
    assert (2, State.RUNNING) in states[first:]

    again = found_again(job)
    assert (again.stays, again.samples) == (facts.stays, facts.samples)
    assert again.endings == facts.endings


def test_what_a_job_was_given_is_there_before_the_backend_is_asked(
    local_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the story alone ends a job that is attached, it says no less than the first time."""

    @batch
    def one() -> int:
        return 1

    job = one.submit()
    assert job.result(60) == 1
    # The watcher reads the story before its next question, and asks none.
    monkeypatch.setattr(local_session.backend.runner, "describe", lambda ids: {})

    assert job.facts.given
    assert found_again(job).given == job.facts.given


def test_the_past_of_a_job_whose_end_no_kernel_saw(local_session: Session) -> None:
    """The backend and the job's own story tell the same that a kernel had seen."""
    job, _ = twice()
    registry = local_session._registry
    record = registry.get(job.id)
    assert record is not None
    registry.write(replace(record, outcome="", stays=()))
    again = found_again(job)

    assert words(again.stays) == TWICE
    for ours, theirs in zip(job.facts.stays, again.stays, strict=True):
        assert theirs.since == pytest.approx(ours.since, abs=2)
        assert theirs.until == pytest.approx(ours.until, abs=2)
    assert again.samples == job.facts.samples


def test_the_list_tells_when_a_job_ran(local_session: Session) -> None:
    """A job that has ended is listed with its times, and nobody is asked for them."""
    job, _ = twice()
    (listed,) = nbbatch.jobs()

    assert listed.stays == job.facts.stays
    assert (listed.attempt, listed.started_at) == (2, job.facts.started_at)
    assert listed.stopped_at == job.facts.stopped_at


def test_the_past_of_nodes() -> None:
    """The main node's states are the job's; its samples are the fullest node's."""

    def node() -> None:
        held = bytearray((1 + current.node_index) * (64 << 20))
        time.sleep(4)
        del held

    job, _ = run(node, nodes=2, memory=1000)
    assert job.exception() is None

    assert words(job.facts.stays)[-1] == (1, "RUNNING")
    assert all(a.until is not None and a.until <= b.since for a, b in pairwise(job.facts.stays))
    assert max(sample.usage.memory for sample in job.facts.samples) > 128 * _MIB


def test_a_job_that_waits_for_another_says_so(tmp_path: Path) -> None:
    """It is pending until the other one has succeeded, and says for which."""
    go = tmp_path / "go"

    def wait(path: str) -> int:
        while not os.path.exists(path):  # noqa: PTH110
            time.sleep(0.02)
        return 0

    first: Job[Any] = batch()(wait).submit(str(go))
    second: Job[Any] = batch(depends_on=[first.id])(wait).submit(str(tmp_path / "last"))
    seen = Seen()
    second.observe(seen)
    reach(second, State.PENDING)
    go.touch()
    # The backend alone knows that it was RUNNABLE: it is to be asked before the job has ended.
    until(lambda: (1, "RUNNABLE") in words(second.facts.stays))
    (tmp_path / "last").touch()
    assert second.result(60) == 0
    first.result(60)

    assert f"it waits for {first.batch_job_id} to succeed" in seen.messages
    assert second.facts.message == ""
    assert words(second.facts.stays)[:3] == [(1, "SUBMITTED"), (1, "PENDING"), (1, "RUNNABLE")]
