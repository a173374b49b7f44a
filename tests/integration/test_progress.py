"""Loops in real jobs, as whoever watches the job sees them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, errors
from nbbatch.bars import Progress
from nbbatch.facts import JobFacts
from nbbatch.futures import Job
from nbbatch.widgets.model import CardModel, card_model
from tests.integration.conftest import Notebook, attach_last, observed

pytestmark = pytest.mark.usefixtures("local_session")


class Seen:
    """Keeps what was said about a job's loops."""

    def __init__(self) -> None:
        self.facts: list[JobFacts] = []

    def on_facts(self, facts: JobFacts) -> None:
        self.facts.append(facts)

    def on_frames(self, frames: Any) -> None:
        """Frames are not looked at."""

    def until(self, look: Callable[[CardModel], bool]) -> None:
        """Wait until a card shows something."""
        deadline = time.monotonic() + 60
        while not any(look(card(facts)) for facts in self.facts):
            assert time.monotonic() < deadline, bars(self.facts[-1])
            time.sleep(0.02)


def card(facts: JobFacts) -> CardModel:
    return card_model(facts, time.time())


def bars(facts: JobFacts) -> list[tuple[str, float | None, bool]]:
    return [(bar.label, bar.fraction, bar.closed) for bar in card(facts).bars]


def replayed() -> Job[Any]:
    """Find the last job again, and read its story to the end."""
    job = attach_last()
    assert job.wait(60)
    return job


def start(function: Any, *args: Any, **options: Any) -> tuple[Job[Any], Seen]:
    """Start a function as a job, and watch it."""
    seen = Seen()
    with observed(seen):
        job: Job[Any] = batch(**options)(function).submit(*args)
    return job, seen


def test_a_function_with_a_loop(tmp_path: Path) -> None:
    """The bar moves while the job runs, stops where the loop is stuck, and ends with it."""
    gate = tmp_path / "gate"

    def fit(xs: list[int]) -> int:
        total = 0
        for x in nbbatch.progress(xs, label="fit"):
            while x == 3 and not gate.exists():
                time.sleep(0.01)
            for y in nbbatch.progress([x], label="inner"):
                total += y
        return total

    job, seen = start(fit, [1, 2, 3, 4])
    seen.until(lambda card: any(bar.fraction == 0.5 and not bar.closed for bar in card.bars))
    gate.touch()

    assert job.result(60) == 10
    assert bars(job.facts) == [("fit", 1.0, True), ("inner", 1.0, True)]
    assert bars(replayed().facts) == bars(job.facts)
    assert job.outputs == []
    assert job.logs() == ""


def test_a_cell_with_tqdm_and_ours(notebook: Notebook) -> None:
    """What was imported in the notebook drives the card in the job; its text is an output."""
    notebook.run("from nbbatch import progress\nfrom tqdm.auto import tqdm, trange")
    notebook.batch(
        "n = 0\n"
        "for x in tqdm(range(4), desc='theirs'):\n"
        "    for y in trange(2, leave=False):\n"
        "        n += 1\n"
        "bar = progress(range(3), label='ours')\n"
        "for x in bar: n += 1\n"
    )
    job = replayed()

    assert notebook["n"] == 11
    assert isinstance(notebook["bar"], Progress)
    assert (notebook["bar"].done, notebook["bar"].label) == (3, "ours")
    assert bars(job.facts) == [("theirs", 1.0, True), ("ours", 1.0, True)]
    assert {output["name"] for output in job.outputs} == {"stderr"}
    assert "theirs: 100%" in job.logs()
    assert "ours" not in job.logs()


def test_a_loop_that_never_ends(tmp_path: Path) -> None:
    """A job that dies leaves its bars where they stood."""
    gate = tmp_path / "gate"

    def die() -> None:
        with nbbatch.progress(total=4, label="doomed") as bar:
            bar.update()
            while not gate.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)

    job, seen = start(die)
    seen.until(lambda card: any(bar.fraction == 0.25 for bar in card.bars))
    gate.touch()
    with pytest.raises(errors.JobError):
        job.result(60)

    assert [loop.closed for loop in job.facts.progress] == [False]
    (bar,) = card(job.facts).bars
    assert bar.closed
    assert "left" not in bar.text


def test_a_new_attempt_begins_anew(tmp_path: Path) -> None:
    """The loops of an attempt that failed are gone once the next one runs."""

    def second() -> None:
        for _ in nbbatch.progress("abcd", label=f"attempt {nbbatch.current.attempt}"):
            if nbbatch.current.attempt == 1:
                raise KeyError

    job, seen = start(second, retries=1)
    job.result(60)

    assert bars(job.facts) == [("attempt 2", 1.0, True)]
    assert any(bars(facts) == [("attempt 1", 0.0, True)] for facts in seen.facts)


def test_the_loops_of_nodes() -> None:
    """Each node's loops are there, marked with the node."""

    def work() -> None:
        for _ in nbbatch.progress("ab", label="fit" if nbbatch.current.node_index else ""):
            pass

    job, _ = start(work, nodes=2)
    job.result(60)

    assert bars(job.facts) == [("node 0", 1.0, True), ("node 1: fit", 1.0, True)]


def test_processes_of_the_job(notebook: Notebook) -> None:
    """Forked processes and programs that the job starts loop without harm; the main bar moves."""
    notebook.batch("""
import multiprocessing, nbbatch, subprocess, sys
def looped(x):
    return sum(nbbatch.progress([x, x], label="forked"))
with multiprocessing.get_context("fork").Pool(2) as pool:
    turns = nbbatch.progress(pool.imap(looped, range(4)), total=4, label="pool")
    found = list(turns)
code = "import nbbatch; print(sum(nbbatch.progress([1, 2])))"
said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
del pool
""")

    assert notebook["found"] == [0, 2, 4, 6]
    assert notebook["said"] == "3\n"
    assert bars(replayed().facts) == [("pool", 1.0, True)]
