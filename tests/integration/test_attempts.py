"""Further attempts: after a pause, with more memory, from a checkpoint; and waiting for others."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbbatch import batch, current, errors
from nbbatch.backends.base import Launch
from nbbatch.facts import JobFacts, State
from nbbatch.futures import Job
from nbbatch.futures.records.registry import Record
from nbbatch.futures.watching.again import Again
from nbbatch.options import Options
from nbbatch.session import Session
from nbbatch.wire import keys
from tests.integration.conftest import Notebook, attach_last, noted, observed, until

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("local_session")]
_PATIENCE = 60.0


class Seen:
    """Keeps what was said about a job."""

    def __init__(self) -> None:
        self.facts: list[JobFacts] = []
        self.notices: list[str] = []

    def on_facts(self, facts: JobFacts) -> None:
        self.facts.append(facts)

    def on_frames(self, frames: Any) -> None:
        # What comes together is put together: a notice may be over before it is a job's message.
        self.notices += [item["text"] for item in frames if item["kind"] == "notice"]

    @property
    def messages(self) -> list[str]:
        return list(dict.fromkeys(facts.message for facts in self.facts if facts.message))


def run(function: Any, *args: Any, **options: Any) -> tuple[Job[Any], Seen]:
    """Run a function as a job, to its end."""
    seen = Seen()
    with observed(seen):
        job: Job[Any] = batch(**options)(function).submit(*args)
    assert job.wait(_PATIENCE)
    return job, seen


def reach(job: Job[Any], state: State) -> None:
    """Wait until a job is in a state, in which it stays."""
    until(lambda: job.state == state)


def large(gate: Path | None = None) -> Any:
    """Make a function that needs more than 80 MiB, and less than 160; it ends with a file."""

    # Inside a function, so that it travels by value, without this module.
    def fill() -> tuple[int, int]:
        data = bytearray(100 << 20)
        for at in range(0, len(data), 4096):
            data[at] = 1
        if current.resources["memory"] < 160:
            # Until somebody sees it.
            time.sleep(600)
        while gate is not None and not gate.exists():
            time.sleep(0.01)
        return current.attempt, current.resources["memory"]

    return fill


def test_more_memory_on_the_next_attempt() -> None:
    """A job that ran out of memory starts again with twice as much, under the same id."""
    job, seen = run(large(), memory=80, retries=3, retry_on="memory")

    assert job.result() == (2, 160)
    assert "ran out of memory with 80 MiB; starts again with 160" in seen.messages
    assert (job.facts.attempt, job.facts.attempts) == (2, 4)
    assert job.facts.asked["memory"] == 160
    assert job.batch_job_id != job.id
    again = attach_last()
    assert again.result(_PATIENCE) == (2, 160)
    assert again.batch_job_id == job.batch_job_id


def test_the_attempts_come_to_an_end() -> None:
    """The attempts of both jobs count; the error names the memory of the last."""
    job, _ = run(large(), memory=30, retries=1, retry_on="memory")
    error = job.exception()

    assert isinstance(error, errors.OutOfMemoryError)
    assert "60 MiB" in error.cause
    assert job.facts.attempt == 2


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Name the file without which a job does not end that has its memory; it is there."""
    path = tmp_path / "gate"
    path.touch()
    return path


@pytest.fixture
def short(local_session: Session, monkeypatch: pytest.MonkeyPatch, gate: Path) -> Record:
    """Let a job run out of memory whose kernel is gone before it could start it again."""
    monkeypatch.setattr(local_session, "_again", None)
    job, _ = run(large(gate), memory=80, retries=1, retry_on="memory")
    assert isinstance(job.exception(), errors.OutOfMemoryError)
    record = local_session._registry.get(job.id)
    assert record is not None
    return replace(record, outcome="", message="")


def test_several_kernels_start_it_again_once(short: Record, local_session: Session) -> None:
    """Whoever sees the end may start the job again, and one does; the others follow it."""
    session, launched = local_session, []

    def relaunch(record: Record, options: Options) -> Launch:
        launched.append(record)
        return session._relaunch(record, options)

    found: list[Record | None] = []

    def start() -> None:
        found.append(Again(session.backend, session._registry, relaunch).start(short, 1))

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(launched) == 1
    assert {new.batch_job_id for new in found if new} == {f"{short.id}-2"}
    assert session.attach(short.id).result(_PATIENCE) == (2, 160)


def test_a_kernel_that_died_over_it(short: Record, local_session: Session) -> None:
    """A claim that nobody acts on is taken over."""
    session = local_session
    session.backend.store.put(keys.again(short.id, 2), [b""])
    again = Again(session.backend, session._registry, session._relaunch, patience=0.1)
    new = again.start(short, 1)

    assert new is not None
    assert new.asked["memory"] == 160
    assert session.attach(short.id).result(_PATIENCE) == (2, 160)


def test_a_job_that_was_cancelled_just_then(
    short: Record, local_session: Session, gate: Path
) -> None:
    """Another kernel has cancelled it, before or while it is started again: it ends."""
    session = local_session
    gate.unlink()

    def relaunch(record: Record, options: Options) -> Launch:
        session.cancel(short.id)
        return session._relaunch(record, options)

    session._registry.write(short)
    new = Again(session.backend, session._registry, relaunch).start(short, 1)
    assert new is not None
    with pytest.raises(errors.JobCancelledError):
        session.attach(short.id).result(_PATIENCE)
    assert Again(session.backend, session._registry, relaunch).start(short, 2) is None


def test_a_job_that_is_cancelled_here_just_then(
    local_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts it again after the stop finds that noted, and stops what it has started."""
    job = batch(time.sleep).submit(300)
    runner, noted = local_session.backend.runner, []
    really = runner.stop

    def stop(ids: Sequence[str], reason: str) -> None:
        noted.append(job._tracker.cancelled_here)
        if len(noted) == 1:
            raise errors.UnreachableError("no", "network", "today")
        really(ids, reason)

    monkeypatch.setattr(runner, "stop", stop)
    with pytest.raises(errors.UnreachableError):
        job.cancel()
    assert not job._tracker.cancelled_here
    assert job.cancel()
    with pytest.raises(errors.JobCancelledError):
        job.result(_PATIENCE)
    assert noted == [True, True]


def test_a_job_that_can_not_be_started_again(short: Record, local_session: Session) -> None:
    """Whatever goes wrong over it, whoever waits for the job is told."""

    def relaunch(record: Record, options: Options) -> Launch:
        raise RuntimeError("out of order")

    session = local_session
    session._again = Again(session.backend, session._registry, relaunch)
    session._registry.write(short)
    error = session.attach(short.id).exception(_PATIENCE)

    assert isinstance(error, errors.NbbatchError)
    assert "can't start again" in error.what
    assert "out of order" in error.cause


def test_attach_starts_it_again(short: Record, local_session: Session) -> None:
    """A kernel that finds the job later does what the first one could not."""
    again = Again(local_session.backend, local_session._registry, local_session._relaunch)
    local_session._registry.write(short)
    local_session._again = again

    assert local_session.attach(short.id).result(_PATIENCE) == (2, 160)


def test_a_failure_that_is_not_tried_again() -> None:
    """With conditions, an end that none of them names is the last; its result is there at once."""

    def fail() -> None:
        raise ValueError(current.attempt)

    job, _ = run(fail, retries=3, retry_on=["spot", "7"])

    assert job.exception().args == (1,)  # type: ignore[union-attr]
    assert attach_last().facts.attempt == 1


def test_an_exit_code_that_is_tried_again() -> None:
    """Exit codes can be conditions, also on this machine."""

    def leave() -> int:
        if current.attempt == 1:
            os._exit(7)
        return current.attempt

    assert run(leave, retries=3, retry_on=7)[0].result() == 2


def test_a_pause_between_attempts() -> None:
    """The second attempt waits, and says so; the first does not."""

    def flaky() -> float:
        now = time.time()
        if current.attempt == 1:
            raise ValueError(now)
        return now

    job, seen = run(flaky, retries=1, minutes_between_retries=0.02)

    assert job.result() - job.facts.submitted_at >= 1.2
    assert "waits 1.2 s before attempt 2" in seen.notices


def test_a_pause_can_be_cut_short() -> None:
    """A job that waits for its next attempt is cancelled at once."""

    def fail() -> None:
        raise ValueError

    job = batch(retries=1, minutes_between_retries=30)(fail).submit()
    until(lambda: "waits 30 min" in job.facts.message)
    job.cancel()

    with pytest.raises(errors.JobCancelledError):
        job.result(_PATIENCE)


def test_a_timeout_brings_back_what_was_bound(notebook: Notebook) -> None:
    """What a cell had bound when its time was over is in the notebook, and its text is there."""
    error = notebook.failing(
        "import time\nbefore = [1, 2]\nprint('so far')\ntime.sleep(600)\nafter = 1", "--timeout 8"
    )

    assert isinstance(error, errors.JobTimeoutError)
    assert notebook["before"] == [1, 2]
    assert "after" not in notebook
    assert notebook.job().logs() == "so far\n"


def test_code_that_dies_of_its_timeout() -> None:
    """The end of a process that is asked to end for its time is told as a timeout."""

    def leave() -> None:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(5))
        time.sleep(600)

    assert isinstance(run(leave, timeout=5)[0].exception(), errors.JobTimeoutError)


def test_a_checkpoint() -> None:
    """The next attempt goes on where the last one stopped, and the notebook can look at it."""

    def train() -> tuple[int, int]:
        state = current.checkpoint.load(default={"epoch": 0})
        for epoch in range(state["epoch"], 5):
            current.checkpoint.save({"epoch": epoch + 1})
            if current.attempt == 1 and epoch == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        folder = Path(current.tempdir, "run")
        folder.mkdir()
        (folder / "model").write_text("weights")
        current.checkpoint.save_files(folder, "run")
        pid = os.fork()
        if not pid:
            current.checkpoint.save("of a fork", "fork")
            os._exit(0)
        return state["epoch"], os.waitpid(pid, 0)[1]

    job, _ = run(train, retries=1)

    assert job.result() == (3, 0)
    assert job.checkpoints() == ["checkpoint", "fork", "run"]
    assert job.checkpoint() == {"epoch": 5}
    assert job.checkpoint("fork") == "of a fork"
    there = Path(os.environ["NBBATCH_HOME"], "there")
    job.checkpoint("run", str(there))
    assert (there / "model").read_text() == "weights"
    with pytest.raises(errors.NotFoundError, match="no checkpoint other"):
        job.checkpoint("other")


def test_no_checkpoint_here() -> None:
    """Outside a job the error says what to test first."""
    with pytest.raises(errors.UsageError, match="nbbatch.current") as caught:
        current.checkpoint.save(1)
    assert "if nbbatch.current" in caught.value.hint


def test_a_program_that_the_job_starts_has_no_key() -> None:
    """There the error says where a checkpoint can be saved."""

    def start() -> str:
        import subprocess
        import sys

        code = "import nbbatch; nbbatch.current.checkpoint.save(1)"
        command = [sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    assert "does not get the job's key" in run(start)[0].result()


def test_what_a_job_knows() -> None:
    """The facts of Batch, and a folder of its own that is gone afterwards."""

    def look() -> dict[str, Any]:
        Path(current.tempdir, "left").touch()
        names = ("tempdir", "queue", "compute_environment", "batch_job_id", "kubernetes_node_uid")
        more = ("array_index", "array_size", "spot_termination_notice", "reclaimed_at")
        return {name: getattr(current, name) for name in (*names, *more)}

    job, _ = run(look)
    found = job.result()
    folder = Path(found.pop("tempdir"))
    until(lambda: not folder.exists())

    assert folder.name.startswith(f"nbbatch-{job.id}")
    assert Path(found.pop("spot_termination_notice")).parent == folder
    assert found == {
        "queue": "local",
        "compute_environment": "local",
        "batch_job_id": job.id,
        "kubernetes_node_uid": "",
        "array_index": None,
        "array_size": None,
        "reclaimed_at": None,
    }


def wait_for(path: Path, *, ends_well: bool = True) -> Job[Any]:
    """Start a job that ends when there is a file, and returns when that was."""

    def wait() -> float:
        while not path.exists():
            time.sleep(0.01)
        if not ends_well:
            raise ValueError
        return time.time()

    return batch()(wait).submit()  # type: ignore[no-any-return]


def now(**options: Any) -> Job[Any]:
    """Start a job that returns what time it is."""
    return batch(**options)(lambda: time.time()).submit()  # type: ignore[no-any-return]


def test_a_job_waits_for_others(tmp_path: Path) -> None:
    """It is PENDING until all of them have succeeded, by id and by name."""
    first = wait_for(tmp_path / "go")
    second = now(name="second")
    after = now(depends_on=[first, "second"])
    reach(after, State.PENDING)
    (tmp_path / "go").touch()

    assert after.result(_PATIENCE) > max(first.result(), second.result(_PATIENCE))
    with pytest.raises(errors.OptionError, match="nowhere"):
        now(depends_on="nowhere")


def test_a_job_whose_dependency_fails(tmp_path: Path) -> None:
    """It fails without having started, and says which one it was."""
    first = wait_for(tmp_path / "go", ends_well=False)
    after = now(depends_on=first)
    (tmp_path / "go").touch()
    error = after.exception(_PATIENCE)

    assert isinstance(error, errors.JobLostError)
    assert "was not started" in error.what
    assert first.id in error.cause
    assert after.facts.started_at is None
    assert first.wait(_PATIENCE)
    with pytest.raises(errors.OptionError, match="ended without success"):
        now(depends_on=first)


def test_a_job_that_waits_can_be_cancelled(tmp_path: Path) -> None:
    """Cancelled while it is PENDING, it never starts."""
    first = wait_for(tmp_path / "go")
    after = now(depends_on=first)
    reach(after, State.PENDING)
    after.cancel()
    with pytest.raises(errors.JobCancelledError):
        after.result(_PATIENCE)
    (tmp_path / "go").touch()

    assert after.facts.started_at is None
    assert first.result(_PATIENCE)


def test_a_dependency_whose_supervisor_dies(tmp_path: Path, local_session: Session) -> None:
    """A job does not wait for ever for one that nobody answers for."""
    first = wait_for(tmp_path / "go")
    after = now(depends_on=first)
    reach(after, State.PENDING)
    reach(first, State.RUNNING)
    facts = noted(local_session, first)
    os.kill(facts["supervisor"], signal.SIGKILL)
    error = after.exception(_PATIENCE)

    assert isinstance(error, errors.JobLostError)
    assert "died" in error.cause
    assert first.wait(_PATIENCE)
    assert not Path(facts["tempdir"]).exists()
