"""What a job used over time: bounded, even, and the same however its story is read."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.facts import SAMPLES, JobFacts, Sample, State
from nbbatch.futures.watching.changes import changed, usage_of
from nbbatch.futures.watching.past import Past
from nbbatch.futures.watching.samples import Samples
from nbbatch.wire.frames import Frame

START = 1_700_000_000.0


def usage(t: float, memory: int = 1, **more: Any) -> Frame:
    return {"kind": "usage", "t": t, "cpu": 0.5, "memory": memory, **more}


def story(seconds: int, step: float = 1.003) -> list[Frame]:
    return [usage(START + i * step, i) for i in range(seconds)]


def kept(*batches: list[Frame]) -> tuple[Sample, ...]:
    samples = Samples()
    for batch in batches:
        samples.read(0, batch)
    last = [frame for batch in batches for frame in batch][-1]
    return samples.upto(usage_of(last))


@pytest.mark.parametrize("length", [1, 2, 60, 118, 119, 120, 121, 300, 1000, 10_000])
def test_there_are_never_too_many_and_they_are_even(length: int) -> None:
    """However long it runs, there are enough for a chart, as far apart as one another."""
    found = kept(story(length))
    gaps = [b.at - a.at for a, b in pairwise(found)]

    assert min(length, SAMPLES / 2 - 2) <= len(found) <= SAMPLES
    assert found[0].at == START
    assert found[-1].usage.memory == length - 1
    # The last one comes as soon as it is there.
    assert all(gap < 2.1 * min(gaps[1:-1]) for gap in gaps[1:-1])


@given(st.integers(1, 400), st.lists(st.integers(1, 60)), st.floats(0.2, 3))
def test_the_story_is_the_same_in_any_pieces(length: int, sizes: list[int], step: float) -> None:
    """Read as it comes, or all at once when a job is attached again."""
    whole = story(length, step)
    pieces, rest = [], whole
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    pieces = [piece for piece in [*pieces, rest] if piece]

    assert kept(*pieces) == kept(whole)
    assert len(kept(whole)) <= SAMPLES


def test_of_several_nodes_the_fullest_at_the_time() -> None:
    """They may be read one after the other; what was at one time stands together."""
    parts = [
        (node, [usage(START + t + node / 10, memory=100 * node + t) for t in range(300)])
        for node in range(3)
    ]
    random.Random(0).shuffle(parts)
    samples = Samples()
    for node, frames in parts:
        samples.read(node, frames)
    found = samples.upto(None)

    assert len(found) <= SAMPLES
    assert [s.usage.memory for s in found] == [200 + round(s.at - START) for s in found]


def test_all_samples_of_a_batch_count_and_a_new_attempt_begins_anew() -> None:
    """The facts have each of them, until another attempt has some of its own."""
    past, facts = Past(JobFacts("id", "n", "aws")), JobFacts("id", "n", "aws", submitted_at=START)
    started = {"kind": "started", "t": START, "given": {}}
    first = [started, usage(START + 1), usage(START + 2), usage(START + 3, final=True, peak={})]
    facts = past.read(changed(facts, first), 1, 0, first)
    before = [sample.at - START for sample in facts.samples]
    past.restart()
    again = [started, usage(START + 60)]
    waiting = past.read(changed(facts, [started]), 2, 0, [started])
    facts = past.read(changed(facts, again), 2, 0, again)

    assert before == [1, 2]
    assert (waiting.samples, waiting.usage) == ((), None)
    assert [sample.at - START for sample in facts.samples] == [60]
    assert facts.state is State.RUNNING


def test_the_largest_of_each_figure_and_of_each_gpu() -> None:
    """The peak keeps the most of everything, whenever it was."""

    def gpus(*uses: tuple[float, int]) -> list[dict[str, Any]]:
        return [
            {"name": "A10G", "utilization": u, "memory": m, "memory_total": 24} for u, m in uses
        ]

    frames = [
        usage(1, 5, cpu=1.0, disk=7, disk_limit=100, gpus=gpus((90, 1), (0, 2))),
        usage(2, 3, cpu=2.0, disk=9, disk_limit=100, gpus=gpus((10, 4), (3, 1))),
        usage(3, final=True, peak={"cpu": 1.5, "memory": 6, "seconds": 2}),
    ]
    facts = changed(JobFacts("id", "n", "aws"), frames)
    assert facts.peak is not None
    peak = facts.peak

    assert (peak.cpu, peak.memory, peak.disk, peak.disk_limit) == (2.0, 6, 9, 100)
    assert [(gpu.utilization, gpu.memory) for gpu in peak.gpus] == [(90, 4), (3, 2)]
    assert facts.usage is not None
    assert facts.usage.memory == 3
