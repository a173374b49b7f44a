"""Progress that the job itself reports, as bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nbbatch.facts import Progress
from nbbatch.widgets.log import plain
from nbbatch.widgets.model.texts import clip, duration, short, size

__all__ = ["Bar", "bars", "more_bars"]

#: Bars that a card has room for.
SHOWN = 5
MAX_LABEL, MAX_UNIT = 80, 20
#: Units that are written as sizes are.
_BYTES = ("B", "iB", "byte", "bytes")
_MINUTE = 60
#: Seconds in which nobody cares how fast something was.
_MOMENT = 0.1
#: From here on a count is written in thousands, in millions and so on.
_LARGE = 10_000_000


@dataclass(frozen=True)
class Bar:
    """One loop's progress.

    Attributes
    ----------
    text
        ``120 of 500 it, 35/s, 11 s left``.
    fraction
        None where the end is not known.
    closed
        Whether the loop is over.
    """

    label: str
    text: str
    fraction: float | None
    closed: bool = False


def bars(loops: Sequence[Progress], *, over: bool) -> tuple[Bar, ...]:
    """Return the bars that a card shows, those that move first, then the newest.

    Parameters
    ----------
    over
        Whether the job's code has ended: what is not closed then has stopped where it stands.
    """
    shown = [loop for loop in loops if not loop.closed][:SHOWN]
    room = SHOWN - len(shown)
    ended = [loop for loop in loops if loop.closed][-room:] if room else []
    return tuple(_bar(loop, over=over) for loop in (*shown, *ended))


def more_bars(loops: Sequence[Progress]) -> str:
    """Say how many there are beyond those that are shown: ``and 3 more``."""
    return f"and {len(loops) - SHOWN} more" if len(loops) > SHOWN else ""


def _bar(loop: Progress, *, over: bool) -> Bar:
    label = clip(" ".join(plain(loop.label).split()), MAX_LABEL)
    text = _ended(loop) if over or loop.closed else _moving(loop)
    return Bar(label, text, _fraction(loop), over or loop.closed)


def _fraction(loop: Progress) -> float | None:
    if not loop.total or loop.total < 0:
        return None
    return round(min(1.0, max(0.0, loop.done / loop.total)), 4)


def _moving(loop: Progress) -> str:
    parts = [_counted(loop), _rate(loop.rate, _unit(loop))]
    if loop.total is not None and loop.rate and loop.total > loop.done:
        parts.append(f"{_time((loop.total - loop.done) / loop.rate)} left")
    return ", ".join(filter(None, parts))


def _ended(loop: Progress) -> str:
    """Say how it went: what was done, in what time, how fast."""
    seconds = loop.at - loop.started_at
    if seconds < _MOMENT:
        return _counted(loop)
    said = f"{_counted(loop)} in {duration(seconds)}"
    return ", ".join(filter(None, [said, _rate(loop.rate, _unit(loop))]))


def _counted(loop: Progress) -> str:
    unit = _unit(loop)
    whole = loop.total is None or (loop.closed and loop.done == loop.total)
    if unit in _BYTES:
        return size(loop.done) if whole else f"{size(loop.done)} of {size(loop.total or 0)}"
    done = _count(loop.done)
    said = done if whole else f"{done} of {_count(loop.total or 0)}"
    return f"{said} {unit}".rstrip()


def _unit(loop: Progress) -> str:
    return clip(plain(loop.unit).strip(), MAX_UNIT)


def _count(number: float) -> str:
    if abs(number) >= _LARGE:
        for unit in ("k", "M", "G"):
            number /= 1000
            if abs(number) < 999.5:
                return f"{short(number)}{unit}"
        return f"{short(number / 1000)}T"
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.4g}"


def _rate(rate: float | None, unit: str) -> str:
    if not rate or rate < 0:
        return ""
    if unit in _BYTES:
        return f"{size(rate)}/s"
    if rate >= 1:
        return f"{_count(round(rate)) if rate >= 99.5 else short(rate)}/s"
    seconds = 1 / rate
    return f"{short(seconds) + ' s' if seconds < _MINUTE else duration(seconds)}/{unit or 'it'}"


def _time(seconds: float) -> str:
    """Write what is left in whole seconds: nobody knows it better."""
    return f"{max(1, math.ceil(seconds))} s" if seconds <= _MINUTE - 1 else duration(seconds)
