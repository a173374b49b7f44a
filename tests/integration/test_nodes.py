"""Multi-node jobs on this machine: one process a node, one job to whoever started it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, current, errors, parallel
from nbbatch.facts import JobFacts, State
from nbbatch.futures import Job
from nbbatch.session import Session
from nbbatch.wire import keys
from nbbatch.wire.frames import Frame
from tests.integration.conftest import Notebook, observed, until

pytestmark = pytest.mark.usefixtures("local_session")

TORCH = ("RANK", "WORLD_SIZE", "NODE_RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR")


class Seen:
    """What an observer of a job is shown."""

    def __init__(self) -> None:
        self.facts: list[JobFacts] = []
        self.frames: list[Frame] = []

    def on_facts(self, facts: JobFacts) -> None:
        self.facts.append(facts)

    def on_frames(self, frames: list[Frame]) -> None:
        self.frames += frames

    def text(self) -> str:
        return "".join(f["text"] for f in self.frames if f["kind"] == "stream")


def start(function: Any, *args: Any, **options: Any) -> Job[Any]:
    """Start a function on several nodes."""
    job: Job[Any] = batch(**{"nodes": 2, **options})(function).submit(*args)
    return job


def test_a_function_on_three_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each node knows which one it is; values, logs and outputs come back in the nodes' order."""
    monkeypatch.setenv("RANK", "7")
    monkeypatch.setenv("MASTER_ADDR", "the kernel's own")

    def work(x: int) -> Any:
        print("on node", current.node_index)
        print("unfinished", end="")
        told = {name: os.environ[name] for name in TORCH}
        batch_id, main_ip = current.batch_job_id, current.main_ip
        port = os.environ["MASTER_PORT"]
        return x * current.node_index, current.num_nodes, main_ip, batch_id, told, port

    seen = Seen()
    with observed(seen):
        job = start(work, 10, nodes=3)
    found = job.result(60)
    assert [value[0] for value in found] == [0, 10, 20]
    assert {value[1:3] for value in found} == {(3, "127.0.0.1")}
    assert [value[3] for value in found] == [f"{job.batch_job_id}#{n}" for n in range(3)]
    for node, told in enumerate(value[4] for value in found):
        assert told == dict(zip(TORCH, [str(node), "3", str(node), "0", "1", "127.0.0.1"]))
    assert len({value[5] for value in found}) == 1
    lines = [f"[node {n}] on node {n}\n[node {n}] unfinished\n" for n in range(3)]
    assert job.logs() == "".join(lines)
    assert job.logs(node=1) == "on node 1\nunfinished"
    assert sorted(seen.text().splitlines()) == sorted("".join(lines).splitlines())
    assert [node.state for node in job.facts.nodes] == [State.SUCCEEDED] * 3
    assert job.facts.peak.memory == max(node.peak.memory for node in job.facts.nodes)
    with pytest.raises(errors.UsageError, match="no node 3"):
        job.logs(node=3)


def test_a_cell_on_two_nodes(notebook: Notebook) -> None:
    """The main node's variables are bound, every node's are the result, every value is shown."""
    notebook.run("import nbbatch; start = 40")
    notebook.batch("mine = start + nbbatch.current.node_index\nmine", "--nodes 2")
    assert notebook["mine"] == 40
    job = notebook.job()
    assert job.result(60) == [{"mine": 40}, {"mine": 41}]
    shown = [o["data"]["text/plain"] for o in job.outputs if o["output_type"] == "execute_result"]
    assert shown == ["[node 0] 40", "[node 1] 41"]


def test_the_main_node_waits_for_the_others() -> None:
    """What the others still compute when the main node is done is not cut off."""

    def work() -> Any:
        time.sleep(1.5 * current.node_index)
        return current.node_index

    assert start(work).result(60) == [0, 1]


def test_one_nodes_failure_is_the_jobs() -> None:
    """The others are ended, and the exception is what that node raised, and says which it was."""

    def work() -> None:
        if current.node_index == 1:
            raise ValueError("boom")
        time.sleep(120)

    job = start(work, nodes=3)
    with pytest.raises(ValueError, match="boom") as caught:
        job.result(60)
    assert caught.value.__notes__ == ["raised by node 1 of 3 of the job"]
    assert job.facts.message == "node 1 of 3: ValueError: boom"
    assert job.facts.outcome == "error"
    assert [node.state for node in job.facts.nodes] == [State.FAILED] * 3


def test_the_main_nodes_failure_ends_the_others() -> None:
    """When the main node raises, nobody waits for the others."""

    def work() -> None:
        if current.node_index == 0:
            raise KeyError("main")
        time.sleep(120)

    job = start(work)
    with pytest.raises(KeyError, match="main"):
        job.result(60)
    assert job.facts.message == "node 0 of 2: KeyError: 'main'"


def test_a_node_that_is_killed() -> None:
    """A node that dies without a word ends the job, which says which node it was."""

    def work() -> None:
        if current.node_index == 1:
            os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(120)

    job = start(work)
    error = job.exception(60)
    assert isinstance(error, errors.ProcessDiedError)
    assert error.what.startswith("node 1 of 2 of job ")
    assert "SIGKILL" in error.cause
    assert job.facts.outcome == "lost"


def test_a_node_that_needs_too_much_memory() -> None:
    """The limit is each node's own, and the error says how much that one used."""

    def work() -> Any:
        kept = b"x" * (200 << 20) if current.node_index == 1 else b""
        time.sleep(120 if current.node_index else 2)
        return len(kept)

    job = start(work, memory=128)
    error = job.exception(60)
    assert isinstance(error, errors.OutOfMemoryError)
    assert error.what.startswith("node 1 of 2 of job ")


def test_all_nodes_start_again_together() -> None:
    """A retry is the whole job's: each node has the next attempt, and only that one's values."""

    def work() -> Any:
        print("attempt", current.attempt)
        if current.attempt == 1 and current.node_index == 1:
            raise ValueError("again")
        time.sleep(120 if current.attempt == 1 else 0)
        return current.attempt, current.node_index

    job = start(work, retries=1)
    assert job.result(60) == [(2, 0), (2, 1)]
    assert job.facts.attempt == 2
    assert job.logs() == "[node 0] attempt 2\n[node 1] attempt 2\n"


def test_cancel_ends_all_nodes() -> None:
    """Cancel is for the whole job, at once."""

    def work() -> None:
        print("up", flush=True)
        time.sleep(120)

    job = start(work)
    until(lambda: job.logs().count("up") == 2)
    assert job.cancel()
    with pytest.raises(errors.JobCancelledError):
        job.result(60)


def test_attach_finds_all_nodes() -> None:
    """A multi-node job, here one of `@parallel`, is one in another kernel too."""

    @batch
    @parallel(num_nodes=2)
    def work() -> Any:
        print("here")
        return current.node_index

    job: Job[Any] = work.submit()
    again: Job[Any] = nbbatch.attach(job.id)
    assert again.result(60) == [0, 1]
    assert again.logs() == "[node 0] here\n[node 1] here\n"


def test_one_node_whose_value_is_altered(local_session: Session) -> None:
    """No list comes back with a hole in it: what can't be read is an error, and not unpickled."""

    def work() -> Any:
        return bytes([current.node_index]) * (3 << 20)

    job = start(work)
    assert job.wait(60)
    root = Path(local_session.backend.store.url.removeprefix("file://"))
    blobs = [path for path in root.rglob("*") if path.is_file() and path.stat().st_size >= 3 << 20]
    second = next(path for path in blobs if path.read_bytes().count(1) >= 3 << 20)
    second.chmod(0o600)
    second.write_bytes(b"x" * second.stat().st_size)
    with pytest.raises(errors.NbbatchError):
        job.result(60)


def test_no_node_can_speak_for_another(local_session: Session) -> None:
    """An outcome in another node's place is refused, though the job's own key sealed it."""

    def work() -> Any:
        return current.node_index

    job = start(work)
    assert job.result(60) == [0, 1]
    store = local_session.backend.store
    forged = store.get(keys.outcome(job.id, 1, 0)) or b""
    store.put(keys.outcome(job.id, 1, 1), [forged])
    again: Job[Any] = nbbatch.attach(job.id)
    with pytest.raises(errors.SealError):
        again.result(60)


@pytest.mark.torch
def test_a_collective(torch: Any) -> None:
    """`torch.distributed` finds the other nodes by what it is told, and they add up."""

    def work() -> Any:
        import torch
        import torch.distributed as dist

        dist.init_process_group("gloo")
        tensor = torch.full((3,), float(dist.get_rank() + 1))
        dist.all_reduce(tensor)
        dist.destroy_process_group()
        return dist.is_available(), tensor.tolist()

    assert start(work).result(240) == [(True, [3.0] * 3)] * 2


@pytest.mark.torch
def test_a_collective_that_lacks_a_node(torch: Any) -> None:
    """Nobody waits for ever for a node that failed before it took part."""

    def work() -> Any:
        import torch
        import torch.distributed as dist

        dist.init_process_group("gloo")
        if dist.get_rank() == 1:
            raise ValueError("not today")
        dist.all_reduce(torch.ones(1))

    job = start(work)
    assert str(job.exception(240)) == "not today"
    assert job.facts.message.startswith("node 1 of 2: ValueError: not today")
