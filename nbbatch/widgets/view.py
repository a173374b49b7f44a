"""Facts about a job, turned into the texts that every form of its card shows.

Pure functions of frozen values: the live card, the static form and the terminal line all draw
one `CardModel`, so that they can't disagree.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbbatch.facts import Gpu, JobFacts, NodeFacts, State, Usage
from nbbatch.widgets.log import plain

__all__ = ["CardModel", "Meter", "Step", "card_model", "clock_time", "duration", "size"]

#: Longer texts are cut: a card is read at a glance, and saved in the notebook.
MAX_MESSAGE = 1000
MAX_FIELD = 200
#: Failed nodes that are named.
_NAMED = 5

MINUTE, HOUR, DAY = 60, 3600, 86400
#: From here on a figure rounds to 1, to 100, to 1000, and loses a decimal or changes its unit.
_ONE, _HUNDRED, _THOUSAND = 0.995, 99.5, 999.5
_TEN_SECONDS = 9.95

_LIVE = {
    State.SUBMITTED: ("Submitted", "○", "waiting"),
    State.PENDING: ("Pending", "○", "waiting"),
    State.RUNNABLE: ("Runnable", "○", "waiting"),
    State.STARTING: ("Starting", "◌", "waiting"),
    State.RUNNING: ("Running", "●", "running"),
    State.SUCCEEDED: ("Succeeded", "✓", "ok"),
    State.FAILED: ("Failed", "✗", "bad"),
}
_ENDED = {
    "ok": ("Succeeded", "✓", "ok"),
    "error": ("Failed", "✗", "bad"),
    "cancelled": ("Cancelled", "⊘", "cancelled"),
    "lost": ("Lost", "✗", "bad"),
}
_WAY = (State.SUBMITTED, State.RUNNABLE, State.STARTING, State.RUNNING)


@dataclass(frozen=True)
class Step:
    """One state on the job's way: `phase` is ``done``, ``now`` or ``next``."""

    word: str
    phase: str


@dataclass(frozen=True)
class Meter:
    """One figure of use: `fraction` of its limit, None where nothing limits it."""

    name: str
    text: str
    fraction: float | None = None


@dataclass(frozen=True)
class CardModel:
    """What a card says, as ready texts.

    Attributes
    ----------
    mark, word, tone
        The state as a sign, as a word, and as what it means: ``waiting``, ``running``, ``ok``,
        ``bad`` or ``cancelled``.
    since, until, now
        Seconds since the epoch: a live card counts on from here; `until` is None while it lives.
    elapsed, times
        Time since the submit, and how much of it was waiting and running.
    asked, given
        Resources; `given` names what differs from what was asked.
    nodes
        How many of a multi-node job's nodes are in which state.
    place
        Where it runs: host, image and whatever else the backend told.
    """

    id: str
    name: str
    mark: str
    word: str
    tone: str
    steps: tuple[Step, ...]
    since: float
    until: float | None
    now: float
    elapsed: str
    times: str
    attempt: str
    asked: str
    given: str
    nodes: str
    place: str
    usage: tuple[Meter, ...]
    peak: str
    message: str
    outcome: str
    done: bool
    url: str

    def as_json(self) -> dict[str, Any]:
        """Return the model as plain JSON values, for the page."""
        return dataclasses.asdict(self)


def card_model(facts: JobFacts, now: float) -> CardModel:
    """Say what a card shows about `facts` at the time `now` (seconds since the epoch)."""
    word, mark, tone = _ENDED.get(facts.outcome) or _LIVE[facts.state]
    until = _until(facts, now)
    return CardModel(
        id=facts.id,
        name=clip(plain(facts.name), MAX_FIELD),
        mark=mark,
        word=word,
        tone=tone,
        steps=_steps(facts, word),
        since=facts.submitted_at,
        until=until,
        now=now,
        elapsed=duration((now if until is None else until) - facts.submitted_at),
        times=_times(facts, now if until is None else until),
        attempt=f"attempt {facts.attempt} of {facts.attempts}" if facts.attempts > 1 else "",
        asked=_asked(facts.asked),
        given=_given(facts.asked, facts.given),
        nodes=_nodes(facts.nodes),
        place=_place(facts.given, facts.backend),
        usage=_meters(facts.usage, _number(facts.given.get("cpu"))),
        peak=_peak(facts.peak),
        message=clip(" ".join(plain(facts.message).split()), MAX_MESSAGE),
        outcome=facts.outcome,
        done=facts.done,
        url=facts.url if facts.url.startswith(("https://", "http://")) else "",
    )


def duration(seconds: float) -> str:
    """Write a duration as people say it: ``0.4 s``, ``12 s``, ``1 m 12 s``, ``2 h 5 m``."""
    seconds = max(0.0, seconds)
    if seconds < _TEN_SECONDS:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} m {whole % MINUTE} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} m"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def size(amount: float) -> str:
    """Write a number of bytes: ``512 MB``, ``3.1 GB`` (1024 to the next unit)."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < _THOUSAND:
            return f"{_short(amount)} {unit}"
        amount /= 1024
    return f"{_short(amount)} TB"


def clock_time(epoch: float) -> str:
    """Write a moment in local time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch))


def clip(text: str, limit: int) -> str:
    """Cut a text that is longer than `limit`, showing that it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _short(amount: float) -> str:
    """Write a number with at most three digits that say something: 0.25, 3.1, 16, 873."""
    digits = 0 if amount >= _HUNDRED else 1 if amount >= _ONE else 2
    text = f"{amount:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number(value: object) -> float | None:
    """Take a figure as some backend told it, None where it told none."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _until(facts: JobFacts, now: float) -> float | None:
    if facts.stopped_at is not None:
        return facts.stopped_at
    return now if facts.done else None


def _times(facts: JobFacts, until: float) -> str:
    if facts.started_at is None:
        return f"waited {duration(until - facts.submitted_at)}"
    waited = duration(facts.started_at - facts.submitted_at)
    return f"waited {waited}, ran {duration(until - facts.started_at)}"


def _steps(facts: JobFacts, word: str) -> tuple[Step, ...]:
    """Draw the way from SUBMITTED on; a job that ended early skips what it never reached."""
    waiting = State.PENDING if facts.state is State.PENDING else State.RUNNABLE
    way = [waiting if state is State.RUNNABLE else state for state in _WAY]
    ended = facts.done or facts.state.final
    at = len(way) if ended else way.index(facts.state)
    if ended and facts.started_at is None and facts.outcome != "ok":
        way, at = way[:1], 1
    words = [_LIVE[state][0] for state in way] + [word if ended else "Done"]
    return tuple(
        Step(text, "done" if i < at else "now" if i == at else "next")
        for i, text in enumerate(words)
    )


def _vcpus(value: float) -> str:
    return f"{_short(value)} vCPU"


def _gpus(value: float) -> str:
    return f"{value:.0f} GPU" + ("s" if value > 1 else "")


def _memory(value: float) -> str:
    return size(value * (1 << 20))


#: What the backend did without, of what was asked for.
_WITHOUT = "not_applied"
_RESOURCES = (("cpu", _vcpus), ("gpu", _gpus), ("memory", _memory))


def _asked(asked: Mapping[str, Any]) -> str:
    amounts = ((_number(asked.get(key)), write) for key, write in _RESOURCES)
    return ", ".join(write(amount) for amount, write in amounts if amount)


def _given(asked: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    parts = []
    for key, write in _RESOURCES:
        wanted, got = _number(asked.get(key)), _number(given.get(key))
        if got is None or (not got and not wanted):
            continue
        parts.append(_difference(write(got), write(wanted or 0), got, wanted))
    return " · ".join(filter(None, [", ".join(parts), _plain(given.get(_WITHOUT))]))


def _difference(got_text: str, wanted_text: str, got: float, wanted: float | None) -> str:
    if wanted is None or got_text == wanted_text:
        return got_text
    if got > wanted:
        return f"{got_text} ({wanted_text} asked)"
    number, unit = wanted_text.split(" ")
    shared = unit.rstrip("s") == got_text.split(" ")[1].rstrip("s")
    return f"{got_text} of {number if shared else wanted_text} asked"


def _nodes(nodes: Sequence[NodeFacts]) -> str:
    """Count the nodes by their states, and name the first few that have failed."""
    if not nodes:
        return ""
    counts = Counter(node.state for node in nodes)
    words = [f"{counts[state]} {_LIVE[state][0].lower()}" for state in State if counts[state]]
    failed = [str(i) for i, node in enumerate(nodes) if node.state is State.FAILED]
    if failed and len(failed) < len(nodes):
        words[-1] += f" ({', '.join(failed[:_NAMED])}{', …' if len(failed) > _NAMED else ''})"
    return f"{len(nodes)}: {', '.join(words)}"


def _place(given: Mapping[str, Any], backend: str) -> str:
    told = (v for k, v in given.items() if k not in ("cpu", "gpu", "memory", _WITHOUT))
    texts = [clip(text, MAX_FIELD) for text in map(_plain, told) if text]
    return " · ".join([backend, *texts][:6])


def _plain(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(filter(None, map(_plain, value)))
    return plain(value) if isinstance(value, str) else ""


def _meters(usage: Usage | None, cores: float | None) -> tuple[Meter, ...]:
    if usage is None:
        return ()
    return (
        _cpu_meter(usage.cpu, cores),
        _bytes_meter("Memory", usage.memory, usage.memory_limit),
        *(meter for gpu in usage.gpus for meter in _gpu_meters(gpu.name, gpu)),
    )


def _cpu_meter(used: float, cores: float | None) -> Meter:
    if not cores:
        return Meter("CPU", f"{_short(used)} cores")
    return Meter("CPU", f"{_short(used)} of {_short(cores)} cores", _fraction(used, cores))


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


def _peak(peak: Usage | None) -> str:
    if peak is None:
        return ""
    parts = [f"{_short(peak.cpu)} cores", size(peak.memory)]
    if peak.gpus:
        memory = size(max(gpu.memory for gpu in peak.gpus))
        parts.append(f"GPU {max(gpu.utilization for gpu in peak.gpus):.0f} % and {memory}")
    return ", ".join(parts)
