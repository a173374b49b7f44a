"""What a job uses, as figures, as fractions of their limits, and as charts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nbbatch.facts import Gpu, JobFacts, Sample, State, Usage
from nbbatch.widgets.model.texts import clip, number, short, size

__all__ = ["Meter", "meters", "peak_text"]

#: Points of a chart: more can't be told apart at its size.
_POINTS = 60
_MAX_NAME = 40
#: The least that a chart without a limit reaches up to.
_LEAST_BYTES, _LEAST_CORES = 64 << 20, 1.0
#: From here on the tenths of a second can't be seen in a chart.
_TENTHS = 100


@dataclass(frozen=True)
class Meter:
    """One figure of use, now and over time.

    Attributes
    ----------
    text, fraction
        Now; after the end the largest. `fraction` is that of its limit, None where there is none.
    peak, peak_fraction
        The largest so far, as `text` and `fraction` are.
    points
        The chart: (seconds since the attempt started to run, fraction of `scale`), oldest first.
    scale
        What the top of the chart is: the limit, or a round figure above the peak.
    """

    name: str
    text: str
    fraction: float | None = None
    peak: str = ""
    peak_fraction: float | None = None
    points: tuple[tuple[float, float], ...] = ()
    scale: str = ""


@dataclass(frozen=True)
class _Figure:
    """How one figure is taken from a sample, None where that lacks it, and how it is written."""

    name: str
    take: Callable[[Usage], float | None]
    write: Callable[[float], str]
    #: Writes it together with its limit.
    write_of: Callable[[float, float], str]
    limit: float | None
    #: Return a round figure that is not below.
    above: Callable[[float], float]

    def text(self, used: float) -> str:
        return self.write_of(used, self.limit) if self.limit else self.write(used)

    def fraction(self, used: float) -> float | None:
        return _fraction(used, self.limit) if self.limit else None


def meters(facts: JobFacts) -> tuple[Meter, ...]:
    """Return what a job uses while it runs, and the most that it used once it has ended."""
    shown = facts.done or facts.state.final or facts.state is State.RUNNING
    last = facts.samples[-1].usage if facts.samples else facts.peak if facts.done else None
    usage = facts.usage or last
    if usage is None or not shown:
        return ()
    cores = number(facts.given.get("cpu"))
    start = _start(facts)
    # Once for all charts: the monitor draws many jobs.
    series = [(_seconds(each.at - start), each.usage) for each in _chosen(facts.samples)]
    return tuple(_meter(figure, facts, usage, series) for figure in _figures(usage, cores))


def _meter(
    figure: _Figure, facts: JobFacts, usage: Usage, series: Sequence[tuple[float, Usage]]
) -> Meter:
    now = figure.take(usage) or 0.0
    told = figure.take(facts.peak) if facts.peak is not None else None
    drawn = [(x, used) for x, each in series if (used := figure.take(each)) is not None]
    peak = max(now, now if told is None else told, *(used for _, used in drawn), 0.0)
    shown = peak if facts.done else now
    top = figure.limit or figure.above(peak)
    return Meter(
        name=figure.name,
        text=figure.text(shown),
        fraction=figure.fraction(shown),
        peak=figure.text(peak),
        peak_fraction=figure.fraction(peak),
        points=tuple([(x, round(min(used / top, 1.0), 3)) for x, used in drawn]),
        scale=figure.write(top),
    )


def _chosen(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return as many samples as a chart shows, the last one among them."""
    step = math.ceil(len(samples) / _POINTS) or 1
    return samples[(len(samples) - 1) % step :: step]


def _start(facts: JobFacts) -> float:
    ran = (s.since for s in facts.stays if s.state is State.RUNNING and s.attempt == facts.attempt)
    first = facts.samples[0].at if facts.samples else 0.0
    # A sample of the job's clock may lie before what another clock calls its beginning.
    return min(next(ran, facts.started_at or first), first)


def _seconds(passed: float) -> float:
    return round(passed, 1) if passed < _TENTHS else round(passed)


def _figures(usage: Usage, cores: float | None) -> Iterator[_Figure]:
    yield _Figure("CPU", lambda u: u.cpu, _cores, _of_cores, cores or None, _above_cores)
    yield _bytes("Memory", lambda u: u.memory, usage.memory_limit)
    for index, gpu in enumerate(usage.gpus):
        yield from _gpu(gpu, index, several=len(usage.gpus) > 1)
    if usage.disk or usage.disk_limit:
        yield _bytes("Disk", lambda u: u.disk, usage.disk_limit)


def _bytes(name: str, take: Callable[[Usage], float | None], limit: float | None) -> _Figure:
    return _Figure(name, take, size, _shared_unit, limit or None, _above_bytes)


def _gpu(gpu: Gpu, index: int, *, several: bool) -> Iterator[_Figure]:
    label = clip(gpu.name, _MAX_NAME) or "GPU"
    names = (f"{label} {index}", f"{label} {index} memory") if several else (label, "GPU memory")

    def figure(of: Callable[[Gpu], float]) -> Callable[[Usage], float | None]:
        return lambda usage: of(usage.gpus[index]) if index < len(usage.gpus) else None

    utilization = figure(lambda each: each.utilization)
    yield _Figure(names[0], utilization, _percent, lambda u, _: _percent(u), 100, _above_cores)
    yield _bytes(names[1], figure(lambda each: each.memory), gpu.memory_total)


def _percent(value: float) -> str:
    return f"{value:.0f} %"


def _cores(value: float) -> str:
    text = short(value)
    return f"{text} core" if text == "1" else f"{text} cores"


def _of_cores(used: float, cores: float) -> str:
    return f"{short(used)} of {_cores(cores)}"


def _shared_unit(used: float, limit: float) -> str:
    number_text, unit = size(used).split(" ")
    whole = size(limit)
    return f"{number_text if whole.endswith(f' {unit}') else size(used)} of {whole}"


def _above_cores(peak: float) -> float:
    whole = max(peak, _LEAST_CORES)
    power = 10.0 ** math.floor(math.log10(whole))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= whole)


def _above_bytes(peak: float) -> float:
    return float(2 ** math.ceil(math.log2(max(peak, _LEAST_BYTES))))


def _fraction(used: float, limit: float) -> float:
    return round(min(1.0, max(0.0, used / limit)), 4)


def peak_text(peak: Usage | None) -> str:
    """Write the largest of each figure."""
    if peak is None:
        return ""
    parts = [_cores(peak.cpu), size(peak.memory)]
    if peak.gpus:
        memory = size(max(gpu.memory for gpu in peak.gpus))
        parts.append(f"GPU {max(gpu.utilization for gpu in peak.gpus):.0f} % and {memory}")
    return ", ".join(parts)
