"""Kernels killed at any instant: their jobs run on, once, and a new kernel has all of them."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import signal
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import nbbatch
from nbbatch.futures.records.registry import Record
from nbbatch.session import current_session
from tests.chaos.conftest import Account
from tests.integration.test_awaiting import Kernel

pytestmark = pytest.mark.thorough

#: What a job shows: the smallest of pictures.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
CELL = f"""%%batch --name job-{{number}}
import base64, os, time
from IPython.display import Image, display
file = os.open({{diary!r}}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(file, b"{{number}}\\n")
os.close(file)
print("number", {{number}})
display(Image(base64.b64decode({PNG!r})))
time.sleep(0.3)
square = {{number}} ** 2
"""
PATIENCE = 120.0
#: Kernels that are started side by side.
AT_ONCE = 3


@contextlib.contextmanager
def kernels(count: int) -> Iterator[list[Kernel]]:
    """Start kernels with nbbatch, in this process's environment, side by side."""
    with contextlib.ExitStack() as stack:
        started = [_started(stack) for _ in range(count)]
        found = [Kernel(*_ready(stack, *each)) for each in started]
        for each in found:
            # What the first cell of a kernel has to load is no instant worth being killed at.
            each.start("%load_ext nbbatch\n%colors nocolor\n%batch jobs")
        for each in found:
            each.run("1")
        yield found


def _started(stack: contextlib.ExitStack) -> tuple[Any, Any]:
    manager = KernelManager()
    manager.start_kernel(extra_arguments=["--log-level=ERROR"])
    stack.callback(manager.shutdown_kernel, now=True)
    client = manager.blocking_client()
    client.start_channels()
    stack.callback(client.stop_channels)
    return manager, client


def _ready(stack: contextlib.ExitStack, manager: Any, client: Any) -> tuple[Any, Any]:
    """Wait for a kernel; start another one where somebody else was faster to take its ports."""
    while True:
        try:
            client.wait_for_ready(timeout=PATIENCE)
        except RuntimeError:
            if manager.is_alive():
                raise
            manager, client = _started(stack)
        else:
            return manager, client


def kill(victim: Kernel, cell: str, seconds: float) -> None:
    """Have a kernel run a cell, and kill it after so many seconds."""
    victim.start(cell)
    time.sleep(seconds)
    os.kill(victim.manager.provisioner.process.pid, signal.SIGKILL)


def run(diary: Path, count: int, longest: float) -> None:
    """Kill so many kernels, and check what became of each job.

    Parameters
    ----------
    longest
        Seconds after which the last ones are killed.
    """
    chance, left = random.Random(count), deque(range(1, count + 1))
    while left:
        with kernels(min(AT_ONCE, len(left))) as victims:
            for victim in victims:
                # Not evenly: what comes before the job's own second is the more delicate part.
                moment = chance.triangular(0, longest, longest / 3)
                kill(victim, CELL.format(number=left.popleft(), diary=str(diary)), moment)
    check(diary, count)


def measured(folder: Path) -> float:
    """Return how long a cell takes now that nobody kills."""
    with kernels(1) as (whole,):
        began = time.monotonic()
        whole.run(CELL.format(number=0, diary=str(folder / "measured")))
        return time.monotonic() - began


def check(diary: Path, count: int) -> None:
    """Attach all jobs in a new kernel; each has run once, or was never begun."""
    records = {record.name: record for record in current_session().jobs()}
    records.pop("job-0", None)
    jobs = [nbbatch.attach(record.id) for record in records.values()]
    assert all(job.wait(PATIENCE) for job in jobs)
    with kernels(1) as (new,):
        listed = new.run("%batch jobs --all")
        assert all(record.id in listed for record in records.values())
        ended = {name: end(new, record) for name, record in records.items()}
    ran = Counter(map(int, diary.read_text().split())) if diary.exists() else Counter()
    for number in range(1, count + 1):
        word = ended.get(f"job-{number}", "never started")
        assert ran[number] == (word == "ok"), (number, word)
    print(Counter(ended.values()), count - len(ended), "killed before they noted a job")


def end(new: Kernel, record: Record) -> str:
    """Attach a job in a new kernel; check what is painted and bound, or that it never began."""
    new.run("square = None")
    new.shown.clear()
    id_ = new.start(f"%batch attach {record.id}")
    reply = new.reply(id_)
    if reply["status"] == "error":
        assert "never started" in reply["evalue"], reply["evalue"]
        return "never started"
    new.until(lambda: new.idle(id_))
    number = int(record.name.partition("-")[2])
    pictures = [
        message["content"]["data"]["image/png"].strip()
        for message in new.of(id_)
        if "image/png" in message["content"].get("data", {})
    ]
    text = [m["content"]["text"] for m in new.of(id_) if m["msg_type"] == "stream"]
    assert [base64.b64decode(picture) for picture in pictures] == [base64.b64decode(PNG)]
    assert "".join(text) == f"number {number}\n"
    assert new.run("square") == str(number**2)
    return "ok"


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process and its kernels use one local backend."""
    monkeypatch.setenv("NBBATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NBBATCH_BACKEND", "local")


@pytest.fixture
def aws(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Have this process and its kernels use one account."""
    monkeypatch.setenv("NBBATCH_BACKEND", "aws")
    monkeypatch.setenv("NBBATCH_S3_ROOT", f"s3://{account.rig.bucket}/root")
    monkeypatch.setenv("NBBATCH_QUEUE", "queue")
    monkeypatch.setenv("NBBATCH_IAM_ROLE", "arn:aws:iam::123456789012:role/job")
    return account


def test_one_on_local(local: None, tmp_path: Path) -> None:
    """One of them, on every day."""
    run(tmp_path / "diary", 1, 1.6)


def test_one_on_aws(aws: Any, tmp_path: Path) -> None:
    """The same where the jobs run elsewhere."""
    run(tmp_path / "diary", 1, 1.6)


@pytest.mark.chaos
def test_a_hundred_on_local(local: None, tmp_path: Path) -> None:
    """Half of two hundred."""
    run(tmp_path / "diary", 100, 1.2 * measured(tmp_path))


@pytest.mark.chaos
def test_a_hundred_on_aws(aws: Any, tmp_path: Path) -> None:
    """The other half."""
    run(tmp_path / "diary", 100, 1.2 * measured(tmp_path))
