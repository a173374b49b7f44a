"""What to ask for the next time, where it is due and sure enough.

Each rule looks at a job that has ended and returns a sentence, or ``""``. The first that has
something to say is heard: what may fail comes before what is wasted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from nbbatch.facts import JobFacts, Sample, State, Usage
from nbbatch.widgets.model.texts import duration, number, short, size

__all__ = ["advice", "enough_cores", "enough_memory"]

_MIB = 1 << 20
#: What is added to the peak: the next run differs a little.
_HEADROOM = 1.25
#: Seconds that a job must have run, and the samples there must be of it.
_SHORTEST, _SAMPLES = 5.0, 3
#: Seconds after which what it never did is taken for what it does not do.
_LONG = 60.0
#: Parts of a limit above which it is taken for nearly reached.
_NEAR_MEMORY, _NEAR_TIMEOUT = 0.95, 0.9
#: How many times the use, and how many MiB more, are too much; less than this is not worth a word.
_TOO_MUCH, _WASTED, _SMALL = 2.0, 2048, 4096
#: A GPU that nobody uses has some memory in use all the same, and always as much.
_GPU_NOISE, _GPU_SHARE = 64 * _MIB, 0.05


class _Run(NamedTuple):
    """A job that has ended, and what the rules need of it."""

    facts: JobFacts
    peak: Usage
    samples: tuple[Sample, ...]
    seconds: float

    def asked(self, name: str) -> float:
        return number(self.facts.asked.get(name)) or 0.0


def advice(facts: JobFacts) -> str:
    """Say in one sentence what to ask for the next time; ``""`` where there is nothing to say."""
    if facts.outcome not in ("ok", "error") or facts.peak is None:
        return ""
    seconds = _seconds(facts)
    if seconds < _SHORTEST:
        return ""
    run = _Run(facts, facts.peak, facts.samples, seconds)
    return next(filter(None, (rule(run) for rule in _RULES)), "")


def _seconds(facts: JobFacts) -> float:
    """Return for how long a job ran, or the longest child of an array; 0 for too little seen."""
    if facts.children is not None:
        return facts.children.longest if facts.children.told else 0.0
    stay = next((s for s in reversed(facts.stays) if s.state is State.RUNNING), None)
    if stay is None or stay.until is None or len(facts.samples) < _SAMPLES:
        return 0.0
    return stay.until - stay.since


def enough_memory(peak: float) -> int:
    """Return the MiB to ask for where `peak` bytes are used: two digits, with some room."""
    wanted = max(peak / _MIB * _HEADROOM, 1.0)
    unit = int(10.0 ** max(0, math.floor(math.log10(wanted)) - 1))
    return max(512, math.ceil(wanted / unit) * unit)


def enough_cores(peak: float) -> int:
    """Return the CPUs to ask for where `peak` are used at most."""
    return max(1, math.ceil(peak * _HEADROOM))


def _short_of_memory(run: _Run) -> str:
    limit = run.peak.memory_limit or run.asked("memory") * _MIB
    if not limit or run.peak.memory < _NEAR_MEMORY * limit:
        return ""
    more = _possible(run, enough_memory(run.peak.memory))
    return f"peaked at {size(run.peak.memory)} of {size(limit)}: --memory {more} is safer"


def _short_of_time(run: _Run) -> str:
    limit = run.asked("timeout")
    if not limit or not _NEAR_TIMEOUT * limit <= run.seconds:
        return ""
    return f"ran {duration(run.seconds)} of at most {duration(limit)}: a longer --timeout is safer"


def _idle_gpu(run: _Run) -> str:
    asked = int(run.asked("gpu"))
    seen = [sample.usage.gpus for sample in run.samples if sample.usage.gpus]
    if (
        not (asked and seen)
        or len(seen) < len(run.samples)
        or any(g.utilization for g in run.peak.gpus)
    ):
        return ""
    series = list(zip(*seen, strict=False))
    if not all(_idle([gpu.memory for gpu in each], each[0].memory_total) for each in series):
        return ""
    what = "a GPU" if asked == 1 else f"{asked} GPUs"
    return f"asked for {what} and never used {'it' if asked == 1 else 'them'}: leave out --gpu"


def _idle(memory: list[int], total: int) -> bool:
    return max(memory) - min(memory) <= _GPU_NOISE and max(memory) <= _GPU_SHARE * total


def _too_much_memory(run: _Run) -> str:
    asked, used = run.asked("memory"), run.peak.memory / _MIB
    if asked <= _SMALL or asked < _TOO_MUCH * used or asked - used < _WASTED:
        return ""
    enough = _possible(run, enough_memory(run.peak.memory))
    if enough > asked / 1.5:
        return ""
    peak = size(run.peak.memory)
    return f"asked for {size(asked * _MIB)}, peaked at {peak}: --memory {enough} would do"


def _too_many_cores(run: _Run) -> str:
    asked, enough = run.asked("cpu"), enough_cores(run.peak.cpu)
    # Of an array's children the average alone is known.
    if run.seconds < _LONG or not run.samples or asked < _TOO_MUCH * enough:
        return ""
    used = short(run.peak.cpu)
    return f"asked for {short(asked)} CPUs, used {used} at most: --cpu {enough} would do"


def _possible(run: _Run, memory: int) -> int:
    """Return the memory that can be had: Fargate has it only in steps, by the number of vCPUs.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
    """
    if str(run.facts.given.get("platform", "")).upper() != "FARGATE":
        return memory
    cpu = run.asked("cpu")
    step, least = next((step, least) for most, step, least in _FARGATE if cpu <= most)
    return max(math.ceil(memory / step) * step, int(cpu * least))


#: By vCPUs up to: the step, and the least for each vCPU, in MiB.
_FARGATE = ((4, 1024, 2048), (8, 4096, 2048), (math.inf, 8192, 2048))
_RULES: tuple[Callable[[_Run], str], ...] = (
    _short_of_memory,
    _short_of_time,
    _idle_gpu,
    _too_much_memory,
    _too_many_cores,
)
