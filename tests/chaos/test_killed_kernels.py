"""Kernels killed at any instant: their jobs run on, once, and a new kernel has all of them."""

from __future__ import annotations

import base64
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch.futures.records.registry import Record
from nbbatch.session import current_session
from tests.chaos.conftest import Account
from tests.chaos.forked import Template, template
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
#: Kernels that live side by side.
AT_ONCE = 4


def kill(kernels: Template, cell: str, seconds: float) -> None:
    """Have a new kernel run a cell, and kill it after so many seconds."""
    with kernels.kernel() as victim:
        victim.start(cell)
        time.sleep(seconds)
        victim.kill()


def run(folder: Path, count: int) -> None:
    """Kill so many kernels, and check what became of each job."""
    diary, chance = folder / "diary", random.Random(count)
    several = min(AT_ONCE, count)
    with template(loaded(folder)) as kernels, ThreadPoolExecutor(several) as pool:
        longest = 1.2 * max(pool.map(partial(measured, kernels, folder), range(several)))
        cells = [CELL.format(number=n, diary=str(diary)) for n in range(1, count + 1)]
        # Not evenly: what comes around the beginning of the job is the more delicate part.
        moments = [chance.triangular(0, longest, longest / 2) for _ in cells]
        list(pool.map(partial(kill, kernels), cells, moments))
        check(kernels, pool, diary, count)


def loaded(folder: Path) -> list[str]:
    """Return what a kernel has loaded once it has run a cell."""
    with template() as kernels, kernels.kernel() as first:
        first.run(CELL.format(number=0, diary=str(folder / "measured")))
        names = first.run("import sys; ' '.join(sys.modules)")
    return [name for name in names.strip("'").split() if not name.startswith("__m")]


def measured(kernels: Template, folder: Path, turn: int) -> float:
    """Return how long a cell takes beside others, now that nobody kills."""
    with kernels.kernel() as whole:
        began = time.monotonic()
        whole.run(CELL.format(number=0, diary=str(folder / "measured")))
        return time.monotonic() - began


def check(kernels: Template, pool: ThreadPoolExecutor, diary: Path, count: int) -> None:
    """Attach all jobs in new kernels; each has run once, or was never begun."""
    records = [record for record in current_session().jobs() if record.name != "job-0"]
    jobs = [nbbatch.attach(record.id) for record in records]
    assert all(job.wait(PATIENCE) for job in jobs)

    def ends(mine: list[Record]) -> dict[str, str]:
        with kernels.kernel() as new:
            listed = new.run("%batch jobs --all")
            assert all(record.id in listed for record in mine)
            return {record.name: end(new, record) for record in mine}

    shares = [records[first::AT_ONCE] for first in range(AT_ONCE)]
    ended = {name: word for found in pool.map(ends, shares) for name, word in found.items()}
    assert len(ended) == len(records)
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
    run(tmp_path, 1)


def test_one_on_aws(aws: Any, tmp_path: Path) -> None:
    """The same where the jobs run elsewhere."""
    run(tmp_path, 1)


@pytest.mark.chaos
def test_a_hundred_on_local(local: None, tmp_path: Path) -> None:
    """Half of two hundred."""
    run(tmp_path, 100)


@pytest.mark.chaos
def test_a_hundred_on_aws(aws: Any, tmp_path: Path) -> None:
    """The other half."""
    run(tmp_path, 100)
