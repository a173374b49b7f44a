"""What a job uses, as figures and as fractions of their limits."""

from __future__ import annotations

from dataclasses import dataclass

from nbbatch.facts import Gpu, Usage
from nbbatch.widgets.model.texts import clip, short, size

__all__ = ["Meter", "meters", "peak_text"]


@dataclass(frozen=True)
class Meter:
    """One figure of use, now and over time.

    Attributes
    ----------
    fraction
        Of its limit; None where nothing limits it.
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


def meters(usage: Usage | None, cores: float | None) -> tuple[Meter, ...]:
    """Return the figures of one moment."""
    if usage is None:
        return ()
    return (
        _cpu_meter(usage.cpu, cores),
        _bytes_meter("Memory", usage.memory, usage.memory_limit),
        *(meter for gpu in usage.gpus for meter in _gpu_meters(gpu.name, gpu)),
    )


def _cpu_meter(used: float, cores: float | None) -> Meter:
    if not cores:
        return Meter("CPU", f"{short(used)} cores")
    return Meter("CPU", f"{short(used)} of {short(cores)} cores", _fraction(used, cores))


def _bytes_meter(name: str, used: float, limit: float | None) -> Meter:
    if not limit:
        return Meter(name, size(used))
    return Meter(name, _shared_unit(size(used), size(limit)), _fraction(used, limit))


def _shared_unit(used: str, limit: str) -> str:
    number, unit = used.split(" ")
    return f"{number if limit.endswith(f' {unit}') else used} of {limit}"


def _gpu_meters(name: str, gpu: Gpu) -> tuple[Meter, ...]:
    label = clip(name, 40) or "GPU"
    return (
        Meter(label, f"{gpu.utilization:.0f} %", _fraction(gpu.utilization, 100)),
        _bytes_meter("GPU memory", gpu.memory, gpu.memory_total),
    )


def _fraction(used: float, limit: float) -> float:
    return round(min(1.0, max(0.0, used / limit)), 4)


def peak_text(peak: Usage | None) -> str:
    """Write the largest of each figure."""
    if peak is None:
        return ""
    parts = [f"{short(peak.cpu)} cores", size(peak.memory)]
    if peak.gpus:
        memory = size(max(gpu.memory for gpu in peak.gpus))
        parts.append(f"GPU {max(gpu.utilization for gpu in peak.gpus):.0f} % and {memory}")
    return ", ".join(parts)
