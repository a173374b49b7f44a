"""Charts and peaks, what was given, and what to ask for the next time."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.facts import SAMPLES, Children, Gpu, JobFacts, Sample, State, Stay, Usage
from nbbatch.widgets.model import card_model
from nbbatch.widgets.model.advice import advice, enough_cores, enough_memory
from nbbatch.widgets.model.meters import Meter, meters
from nbbatch.widgets.model.resources import details, place
from tests.widgets.jobs import GB, START, ended, running, waiting

MB = 1 << 20


def sampled(*usages: Usage, step: float = 1.0) -> dict[str, Any]:
    """Give the facts of a job that used this, one sample after the other."""
    samples = tuple(Sample(START + 12 + i * step, usage) for i, usage in enumerate(usages))
    return {"samples": samples, "usage": usages[-1]}


def by_name(facts: JobFacts) -> dict[str, Meter]:
    return {meter.name: meter for meter in meters(facts)}


def test_charts_begin_with_the_attempt_and_end_now() -> None:
    """Of many samples as many are drawn as can be told apart, the last one always."""
    usages = [Usage(cpu=i / SAMPLES, memory=i * MB, memory_limit=1 << 30) for i in range(SAMPLES)]
    facts = running(**sampled(*usages, step=10))
    cpu, memory = by_name(facts)["CPU"], by_name(facts)["Memory"]

    assert len(cpu.points) == 60
    assert cpu.points[-1] == ((SAMPLES - 1) * 10, 0.496)
    assert cpu.points == tuple(sorted(cpu.points))
    assert (memory.scale, memory.text, memory.peak) == ("1 GB", "119 MB of 1 GB", "5 of 1 GB")


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=SAMPLES),
    st.none() | st.integers(1, 1 << 50),
    st.none() | st.floats(0.1, 512),
)
def test_every_point_is_within_the_chart(
    used: list[float], limit: int | None, cores: float | None
) -> None:
    """Whatever is used, and whether or not anything limits it."""
    usages = [Usage(u, int(u) << 20, limit, int(u), (), limit) for u in used]
    found = meters(running(**sampled(*usages), peak=None, given={"cpu": cores}))

    for meter in found:
        assert all(0 <= y <= 1 for _, y in meter.points)
        assert meter.scale
        assert meter.peak
    assert json.dumps([vars(meter) for meter in found])


@pytest.mark.parametrize(
    ("cpu", "memory", "scales"),
    [
        (0.0, 0, ["1 core", "64 MB"]),
        (1.5, 100 * MB, ["2 cores", "128 MB"]),
        (3.0, 5 * GB, ["5 cores", "8 GB"]),
        (70.0, 64 * GB, ["100 cores", "64 GB"]),
    ],
)
def test_without_a_limit_the_scale_is_a_round_figure(
    cpu: float, memory: int, scales: list[str]
) -> None:
    """It is not below the peak, and not far above it."""
    facts = running(given={}, peak=None, **sampled(Usage(cpu, memory)))

    assert [meter.scale for meter in meters(facts)] == scales
    assert [meter.fraction for meter in meters(facts)] == [None, None]


def test_several_gpus_are_told_apart() -> None:
    """Each has a chart of its use and one of its memory."""
    gpus = (Gpu("A10G", 10, GB, 24 * GB), Gpu("A10G", 90, 2 * GB, 24 * GB))
    found = by_name(running(peak=None, **sampled(Usage(gpus=gpus), Usage(gpus=gpus[:1]))))
    both = by_name(running(peak=None, **sampled(Usage(gpus=gpus[:1]), Usage(gpus=gpus))))

    assert [name for name in found if "A10G" in name or "GPU" in name] == ["A10G", "GPU memory"]
    assert list(both)[2:] == ["A10G 0", "A10G 0 memory", "A10G 1", "A10G 1 memory"]
    assert both["A10G 1"].text == "90 %"
    # Not every sample has each GPU: those that have not are left out.
    assert len(both["A10G 1"].points) == 1
    assert both["A10G 1 memory"].scale == "24 GB"


def test_the_disk_has_a_meter_where_it_is_known() -> None:
    """Beside what the job may fill."""
    disk = by_name(running(peak=None, **sampled(Usage(disk=GB, disk_limit=20 * GB))))["Disk"]

    assert (disk.text, disk.fraction) == ("1 of 20 GB", 0.05)
    assert "Disk" not in by_name(running())


def test_after_the_end_the_meters_tell_the_peak() -> None:
    """The charts stay; text and bar are the most that was used."""
    usages = [Usage(1, GB, 16 * GB), Usage(0.1, MB, 16 * GB)]
    facts = ended(**sampled(*usages), peak=Usage(1.8, 2 * GB, 16 * GB))
    cpu, memory = meters(facts)

    assert (cpu.text, cpu.fraction, len(cpu.points)) == ("1.8 of 2 cores", 0.9, 2)
    assert (memory.text, memory.peak, memory.fraction) == ("2 of 16 GB", "2 of 16 GB", 0.125)
    assert meters(ended())[1].text == "5 of 16 GB"


def test_what_an_attempt_used_is_not_shown_while_the_next_one_waits() -> None:
    """The charts begin again when it runs."""
    facts = running(state=State.RUNNABLE, attempt=2, **sampled(Usage(1, GB)))

    assert meters(facts) == ()


def test_what_was_given_in_rows() -> None:
    """Each thing that is known has its row, in people's words."""
    given = {
        "cpu": 4,
        "memory": 16384,
        "platform": "EC2",
        "life": "spot",
        "instance": "g5.12xlarge",
        "instance_id": "i-0abc",
        "zone": "eu-west-1b",
        "region": "eu-west-1",
        "gpus": ["NVIDIA A10G"] * 4,
        "image": "python:3.12",
        "queue": "gpus",
        "python": "3.12.1",
        "system": "Linux x86_64",
        "host": "ip-10-0-0-1\x1b[31m",
    }

    assert details(given) == (
        ("Instance", "g5.12xlarge (i-0abc)"),
        ("Host", "ip-10-0-0-1"),
        ("Platform", "EC2 Spot"),
        ("Zone", "eu-west-1b"),
        ("GPU", "4 NVIDIA A10G"),
        ("Image", "python:3.12"),
        ("Queue", "gpus"),
        ("Python", "3.12.1 (Linux x86_64)"),
    )
    assert place(given, "aws") == (
        "aws · EC2 Spot · g5.12xlarge (i-0abc) · ip-10-0-0-1 · eu-west-1b · gpus"
    )
    assert details({}) == ()
    assert details({"platform": "FARGATE", "region": "x"}) == (
        ("Platform", "Fargate"),
        ("Zone", "x"),
    )
    assert place({"platform": "this machine", "host": "here"}, "local") == "local · here"


def over(
    seconds: float,
    peak: Usage,
    asked: dict[str, Any],
    samples: tuple[Usage, ...] | None = None,
    **changes: Any,
) -> JobFacts:
    """Give a job that ran for a while."""
    values = {
        **sampled(*(samples or (peak,) * 10)),
        "peak": peak,
        "asked": {"cpu": 1.0, "gpu": 0, "memory": 4096, **asked},
        "stays": (Stay(State.RUNNING, 1, START, START + seconds),),
    }
    return ended(**{**values, **changes})


def mapped(longest: float, peak: Usage, asked: dict[str, Any]) -> JobFacts:
    """Give an array of which some children have told what they used: no samples, and no GPUs."""
    children = Children(
        50, 50, counts={State.SUCCEEDED: 50}, states="5" * 50, told=8, longest=longest
    )
    return replace(over(7200, peak, asked, children=children), samples=())


IDLE = Gpu("A10G", 0, 400 * MB, 24 * GB)
BUSY = Gpu("A10G", 0, 900 * MB, 24 * GB)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            over(60, Usage(0.5, int(3.1 * GB), 32 * GB), {"memory": 32768}),
            "asked for 32 GB, peaked at 3.1 GB: --memory 4000 would do",
        ),
        (
            over(
                60,
                Usage(0.5, int(3.1 * GB)),
                {"memory": 30720, "cpu": 4},
                given={"platform": "FARGATE"},
            ),
            "asked for 30 GB, peaked at 3.1 GB: --memory 8192 would do",
        ),
        (over(4, Usage(0.5, GB), {"memory": 32768}), ""),
        (over(60, Usage(0.5, GB), {"memory": 32768}, samples=(Usage(),)), ""),
        (over(60, Usage(0.5, 100 * MB), {}), ""),
        (over(60, Usage(0.5, 17 * GB), {"memory": 32768}), ""),
        (over(60, Usage(0.5, GB), {"memory": 32768}, outcome="lost"), ""),
        (over(60, Usage(0.5, GB), {"memory": 32768}, outcome="cancelled"), ""),
        (over(60, Usage(0.5, GB), {"memory": 32768}, outcome=""), ""),
        (
            over(60, Usage(1.1, GB), {"cpu": 8}),
            "asked for 8 CPUs, used 1.1 at most: --cpu 2 would do",
        ),
        (over(59, Usage(1.1, GB), {"cpu": 8}), ""),
        (over(60, Usage(1.9, GB), {"cpu": 4}), ""),
        (
            over(60, Usage(1, GB, gpus=(IDLE,)), {"gpu": 1}),
            "asked for a GPU and never used it: leave out --gpu",
        ),
        (
            over(60, Usage(1, GB, gpus=(IDLE, IDLE)), {"gpu": 2}),
            "asked for 2 GPUs and never used them: leave out --gpu",
        ),
        (
            over(
                60,
                Usage(1, GB, gpus=(BUSY,)),
                {"gpu": 1},
                samples=(Usage(gpus=(IDLE,)), *[Usage(gpus=(BUSY,))] * 3),
            ),
            "",
        ),
        (over(60, Usage(1, GB, gpus=(Gpu("A10G", 3, 0, 24 * GB),)), {"gpu": 1}), ""),
        (over(60, Usage(1, GB), {"gpu": 1}), ""),
        (
            over(60, Usage(1, int(3.9 * GB), 4 * GB), {}),
            "peaked at 3.9 GB of 4 GB: --memory 5000 is safer",
        ),
        (
            over(3300, Usage(1, GB), {"timeout": 3600}),
            "ran 55 m 0 s of at most 1 h 0 m: a longer --timeout is safer",
        ),
        (over(1800, Usage(1, GB), {"timeout": 3600}), ""),
        (
            mapped(60, Usage(0.5, int(3.1 * GB)), {"memory": 32768}),
            "asked for 32 GB, peaked at 3.1 GB: --memory 4000 would do",
        ),
        (mapped(4, Usage(0.5, int(3.1 * GB)), {"memory": 32768}), ""),
        (mapped(60, Usage(0.5, GB), {"cpu": 8, "gpu": 1}), ""),
        (
            mapped(3300, Usage(1, GB), {"timeout": 3600}),
            "ran 55 m 0 s of at most 1 h 0 m: a longer --timeout is safer",
        ),
    ],
)
def test_advice(facts: JobFacts, said: str) -> None:
    """It is given where it is due and sure, in one sentence; what may fail comes first."""
    assert advice(facts) == said
    assert card_model(facts, START + 4000).advice == advice(facts)


def test_no_advice_before_the_end() -> None:
    """Nobody knows yet what it will need."""
    assert card_model(waiting(), START).advice == ""
    assert card_model(running(peak=Usage(0.1, MB), asked={"memory": 99999}), START).advice == ""


@given(
    st.integers(1, 1 << 45),
    st.floats(0, 1000),
    st.integers(1, 10**7),
    st.sampled_from([0.25, 1, 2, 4, 8, 16, 96]),
    st.sampled_from(["EC2", "FARGATE"]),
)
def test_never_less_than_the_peak_and_some_room(
    memory: int, cores: float, asked: int, cpu: float, platform: str
) -> None:
    """Whoever follows the advice does not run out of memory, or wait for a CPU, by it."""
    facts = over(
        600, Usage(cores, memory), {"memory": asked, "cpu": cpu}, given={"platform": platform}
    )
    said = advice(facts)

    assert enough_memory(memory) * MB >= memory * 1.25
    assert enough_cores(cores) >= cores * 1.25
    if "--memory" in said:
        advised = int(said.split("--memory ")[1].split(" ")[0])
        assert advised * MB >= memory * 1.25
        assert ("would do" in said) == (advised < asked)
        assert platform == "EC2" or advised % 1024 == 0 or cpu < 1
    if "--cpu" in said:
        assert cpu > int(said.split("--cpu ")[1].split(" ")[0]) >= math.ceil(cores)
