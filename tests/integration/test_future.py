"""`Job` is a future: asked, awaited, cancelled, found again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, CancelledError, as_completed, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbbatch import attach, batch, jobs
from nbbatch.errors import JobCancelledError, JobLostError, NotFoundError
from nbbatch.facts import JobFacts
from nbbatch.futures import Job
from nbbatch.futures.records.registry import Registry
from nbbatch.futures.watching import watcher
from nbbatch.session import Session
from tests.integration.conftest import noted, until

pytestmark = pytest.mark.usefixtures("local_session")


def waiting(go: Path) -> Job[str]:
    """Start a job that runs until a file is there."""

    def work(go: Path) -> str:
        print("begun")
        while not go.exists():
            time.sleep(0.01)
        return "went"

    job: Job[str] = batch(work).submit(go)
    return job


def double(value: int) -> Job[int]:
    """Start a trivial job."""
    job: Job[int] = batch(lambda: value * 2).submit()
    return job


def test_results_and_exceptions() -> None:
    """A value, None and an exception come back as those of any future."""
    assert double(21).result(60) == 42
    nothing = batch(lambda: None).submit()
    assert nothing.result(60) is None
    assert nothing.exception() is None
    failing = batch(lambda: {}["missing"]).submit()
    error = failing.exception(60)
    assert isinstance(error, KeyError)
    with pytest.raises(KeyError, match="missing"):
        failing.result()
    assert failing.exception() is error
    assert (failing.done(), failing.cancelled(), failing.running()) == (True, False, False)


def test_states_and_repr(tmp_path: Path) -> None:
    """A job tells its state as it goes; a timeout of the waiting changes nothing."""
    job = waiting(tmp_path / "go")
    with pytest.raises(TimeoutError):
        job.result(timeout=0)
    with pytest.raises(TimeoutError):
        job.exception(timeout=0.01)
    assert not job.wait(0)
    until(job.running)
    assert job.state == "RUNNING"
    assert not job.done()
    assert repr(job) == f"<Job {job.id} work: RUNNING, on local>"
    assert (job.name, job.batch_job_id) == ("work", job.id)
    (tmp_path / "go").touch()
    assert job.result(60) == "went"
    assert repr(job) == f"<Job {job.id} work: ok, on local>"
    assert job.state == "SUCCEEDED"
    assert job.facts.stopped_at
    assert job.facts.started_at
    assert job.facts.submitted_at <= job.facts.started_at <= job.facts.stopped_at


@pytest.mark.parametrize("when", ["at once", "running"])
def test_cancelling(tmp_path: Path, when: str) -> None:
    """A job can be cancelled in any state; it says so, and is done once it really is."""
    job = waiting(tmp_path / "go")
    until(lambda: when != "running" or "begun" in job.logs())
    assert job.cancel()
    with pytest.raises(JobCancelledError) as caught:
        job.result(60)
    assert isinstance(caught.value, CancelledError)
    assert (job.done(), job.cancelled(), job.running()) == (True, True, False)
    assert job.facts.outcome == "cancelled"
    assert job.state == "FAILED"
    assert "was cancelled" in job.facts.message
    with pytest.raises(JobCancelledError):
        job.exception()
    assert job.cancel()
    assert attach(job.id).wait(60)


def test_the_first_exception(tmp_path: Path) -> None:
    """`concurrent.futures.wait` returns with it, though nobody has unpickled it."""
    slow, failing = waiting(tmp_path / "go"), batch(lambda: {}["missing"]).submit()
    done, left = wait([slow, failing], 60, FIRST_EXCEPTION)
    (tmp_path / "go").touch()

    assert (done, left) == ({failing}, {slow})
    assert isinstance(failing.exception(), KeyError)
    assert slow.result(60) == "went"


def test_cancelling_what_has_ended() -> None:
    """A job that is over stays what it is."""
    job = double(1)
    assert job.result(60) == 2
    assert not job.cancel()
    assert not job.cancelled()
    assert job.result() == 2


def test_clean_up_when_cancelled(tmp_path: Path) -> None:
    """``finally`` blocks run, and what they print is in the log."""

    def work() -> None:
        try:
            print("begun")
            time.sleep(300)
        finally:
            print("cleaned up")

    job = batch(retries=2)(work).submit()
    until(lambda: "begun" in job.logs())
    job.cancel()
    with pytest.raises(JobCancelledError):
        job.result(60)
    assert job.logs() == "begun\ncleaned up\n"


def test_what_a_cancelled_job_makes_of_it() -> None:
    """However the code dresses the signal up, the job was cancelled."""

    def work() -> None:
        try:
            print("begun")
            time.sleep(300)
        except BaseException as error:
            raise RuntimeError("interrupted") from error

    job = batch(work).submit()
    until(lambda: "begun" in job.logs())
    job.cancel()
    with pytest.raises(JobCancelledError):
        job.result(60)


def test_a_handler_of_its_own(tmp_path: Path) -> None:
    """A job that handles SIGTERM itself is let be, and its result counts."""

    def work() -> str:
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        print("begun")
        ended.wait(60)
        return "saved"

    job = batch(work).submit()
    until(lambda: "begun" in job.logs())
    job.cancel()
    assert job.result(60) == "saved"
    assert not job.cancelled()


def test_many_at_once() -> None:
    """`concurrent.futures` knows what to do with jobs."""
    started = [double(number) for number in range(4)]
    assert sorted(job.result() for job in as_completed(started, timeout=60)) == [0, 2, 4, 6]
    done, left = wait(started, timeout=60, return_when=ALL_COMPLETED)
    assert (len(done), len(left)) == (4, 0)


def test_callbacks() -> None:
    """They get the job, and may ask for results, of other jobs too, without harm."""
    first, second = double(1), double(2)
    seen: list[Any] = []
    called = threading.Event()

    def note(job: Job[int]) -> None:
        seen.append((job, job.result() + second.result(60)))
        called.set()

    first.add_done_callback(note)  # type: ignore[arg-type]
    assert called.wait(60)
    assert seen == [(first, 6)]
    first.add_done_callback(seen.append)
    assert seen[1] is first


def test_await() -> None:
    """A job can be awaited, alone and with others; its exceptions are raised there."""

    async def main() -> list[Any]:
        values = await asyncio.gather(double(1), double(2))
        with pytest.raises(ZeroDivisionError):
            await batch(lambda: 1 / 0).submit()
        cancelled = batch(lambda: time.sleep(300)).submit()
        cancelled.cancel()
        with pytest.raises(JobCancelledError):
            await cancelled
        slow = batch(lambda: time.sleep(300)).submit()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(slow, 0.05)
        assert slow.wait(60)
        assert slow.cancelled()
        return values

    assert asyncio.run(main()) == [2, 4]


def test_who_unpickles(tmp_path: Path) -> None:
    """Two threads that ask get one object, unpickled once, by one of them."""
    go = tmp_path / "go"
    go.touch()

    def make() -> Any:
        while not go.exists():
            time.sleep(0.01)

        class Noting:
            def __reduce__(self) -> Any:
                text = "__import__('threading').current_thread()"
                return eval, (f"[{text}.name, object()]",)

        return Noting()

    job = batch(make).submit()
    assert job.wait(60)
    found: list[Any] = []
    ask = [threading.Thread(target=lambda: found.append(job.result()), name="asks")]
    asking = [*ask, threading.Thread(target=lambda: found.append(job.result()), name="asks")]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert found[0] is found[1]
    assert found[0][0] == "asks"

    # It is not to be done before somebody can be called for that.
    go.unlink()
    other = batch(make).submit()
    names: list[str] = []
    done = threading.Event()
    other.add_done_callback(lambda job: (names.append(job.result()[0]), done.set()))
    go.touch()
    assert done.wait(60)
    assert names[0] not in ("nbbatch", "MainThread")


def test_an_observer_that_fails(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Whoever looks at a job and fails is told, and neither the job nor others suffer."""

    class Broken:
        def on_facts(self, facts: JobFacts) -> None:
            if facts.done:
                raise ValueError("broken")

        def on_frames(self, frames: list[dict[str, Any]]) -> None:
            raise ValueError("broken")

    job, other = waiting(tmp_path / "go"), double(2)
    job.observe(Broken())
    (tmp_path / "go").touch()
    assert job.result(60) == "went"
    assert other.result(60) == 4
    assert "no longer shown" in caplog.text


KERNEL = """
import sys, time
from dataclasses import replace
from pathlib import Path
from nbbatch import batch

def work(go):
    print("begun", flush=True)
    while not Path(go).exists():
        time.sleep(0.01)
    return [1, 2]

job = batch(work).submit(sys.argv[1])
print(job.id, flush=True)
time.sleep(300)
"""


def test_a_job_outlives_its_kernel(tmp_path: Path) -> None:
    """A kernel that is killed loses nothing: another one finds the job, and its result."""
    go = tmp_path / "go"
    command = [sys.executable, "-c", KERNEL, str(go)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kernel:
        assert kernel.stdout is not None
        id_ = kernel.stdout.readline().strip()
        kernel.kill()
    job = attach(id_)
    assert (job.id, job.name, job.kind) == (id_, "work", "call")
    until(lambda: "begun" in job.logs())
    go.touch()
    assert job.result(60) == [1, 2]
    assert attach("work").result(60) == [1, 2]
    assert attach(id_[:13]).id == id_
    with pytest.raises(NotFoundError, match="there is no job nowhere"):
        attach("nowhere")


def test_one_job_attached_many_times(tmp_path: Path) -> None:
    """Each of them comes to its end, whoever attached it, and when."""
    first = waiting(tmp_path / "go")
    others = [attach(first.id) for _ in range(5)]
    (tmp_path / "go").touch()
    assert {job.result(60) for job in (first, *others)} == {"went"}
    for _ in range(50):
        assert attach(first.id).result(60) == "went"


def test_the_list_of_jobs(tmp_path: Path) -> None:
    """All jobs are listed, the newest first, with their state; broken records are passed over."""
    assert jobs() == []
    done, failed = double(1), batch(name="failing")(lambda: 1 / 0).submit()
    running = waiting(tmp_path / "go")
    assert done.wait(60)
    assert failed.wait(60)
    (tmp_path / "nbbatch-home" / "jobs" / "20260101-000000-00000000.json").write_text("{")
    # The list asks the backend, which may know it later than the job itself says it.
    until(lambda: "RUNNING" in [str(facts.state) for facts in jobs()])
    listed = {facts.name: facts for facts in jobs()}
    assert set(listed) == {"lambda", "failing", "work"}
    assert listed["lambda"].outcome == "ok"
    assert listed["failing"].message == "ZeroDivisionError: division by zero"
    assert str(listed["work"].state) == "RUNNING"
    (tmp_path / "go").touch()
    assert running.result(60) == "went"


def test_a_job_that_nobody_knows(
    local_session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose files are gone ends, instead of being waited for for ever.

    For a while it may be about to be started; but not where its end has been noted.
    """
    job = double(1)
    assert job.result(60) == 2
    home, runner = local_session.settings.home, local_session.backend.runner
    until(lambda: runner.describe([job.id])[job.id].state.final)
    for folder in (home / "local" / job.id, home / "store" / "jobs" / job.id):
        subprocess.run(["rm", "-r", str(folder)], check=True)
    runner._ended.clear()  # type: ignore[attr-defined]
    registry = Registry(home / "jobs")
    registry.write(replace(job.record, outcome=""))
    for patience in (0.1, float("inf")):
        monkeypatch.setattr(watcher, "_MISSING", {"local": patience})
        error = attach(job.id).exception(60)
        assert type(error) is JobLostError
        assert "knows no such job" in error.cause


def test_a_supervisor_that_is_killed(local_session: Session, tmp_path: Path) -> None:
    """A job whose supervisor dies is reported as lost, and its processes are ended."""
    job = waiting(tmp_path / "go")
    until(lambda: "begun" in job.logs())
    os.kill(noted(local_session, job)["supervisor"], signal.SIGKILL)
    error = job.exception(60)
    assert isinstance(error, JobLostError)
    assert "supervisor" in error.cause
    assert job.logs() == "begun\n"
