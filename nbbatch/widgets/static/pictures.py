"""Charts and bars as pictures inside the HTML: an ``img`` whose source is its own PNG.

A PNG and no SVG: more of those who clean foreign HTML let it pass, and none of them looks into
it. Where even that is taken out, the text instead of the picture has its figures.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from nbbatch.widgets.model import Bar, Meter, duration
from nbbatch.widgets.static.png import Colour, png

__all__ = ["SIZES", "Size", "bar", "chart"]

#: Width and height as shown, and how many pixels there are to each.
Size = tuple[int, int, int]
#: From the finest to the smallest; the last one says it with words alone.
SIZES: tuple[Size, ...] = ((200, 32, 2), (160, 28, 1), (100, 20, 1), (0, 0, 0))

#: They stand out 3 to 1 and more from white and from the dark themes' black.
_NOTHING: Colour = (0, 0, 0, 0)
_SHADE: Colour = (46, 125, 200, 80)
_LINE: Colour = (46, 125, 200, 255)
_GROUND: Colour = (128, 128, 128, 130)
_COLOURS = (_NOTHING, _SHADE, _LINE, _GROUND)
_BAR = (160, 8)
#: Figures in the text instead of a chart.
_TOLD = 8


def chart(meter: Meter, size: Size) -> str:
    """Draw a figure over time; ``""`` where there is nothing to draw."""
    if len(meter.points) < 2:
        return ""
    width, height, density = size
    told = _told(meter)
    if not density:
        return f"<small>{escape(told)}</small>"
    return _img(_area(meter.points, width * density, height * density), (width, height), told)


def bar(progress: Bar) -> str:
    """Draw how far a loop came; ``""`` where its end is not known."""
    if progress.fraction is None:
        return ""
    width, height = _BAR
    full = round(width * min(1.0, max(0.0, progress.fraction)))
    rows = [bytes([2] * full + [3] * (width - full))] * height
    return _img(rows, _BAR, f"{progress.fraction:.0%}")


def _area(points: Sequence[tuple[float, float]], width: int, height: int) -> list[bytes]:
    """Draw a line with the shade below it, on a ground line."""
    thick = max(1, height // 20)
    tops = [round((height - 2 * thick) * (1 - value)) for value in _spread(points, width)]
    columns = b"".join(_column(tops, x, height, thick) for x in range(width))
    return [columns[y::height] for y in range(height)]


def _column(tops: list[int], x: int, height: int, thick: int) -> bytes:
    # As far as the line before it, so that steep parts have no gaps.
    before = tops[max(0, x - 1)]
    first, last = min(tops[x], before), max(tops[x], before) + thick
    shade = max(0, height - thick - last)
    return (bytes(first) + b"\2" * (last - first) + b"\1" * shade + b"\3" * thick)[:height]


def _spread(points: Sequence[tuple[float, float]], count: int) -> list[float]:
    """Read the line at as many evenly spread times as there are columns."""
    start, end = points[0][0], points[-1][0]
    values, at = [], 0
    for i in range(count):
        now = start + (end - start) * i / (count - 1)
        while at < len(points) - 2 and points[at + 1][0] <= now:
            at += 1
        (t0, a), (t1, b) = points[at], points[at + 1]
        share = (now - t0) / (t1 - t0) if t1 > t0 else 1.0
        values.append(min(1.0, max(0.0, a + (b - a) * min(1.0, max(0.0, share)))))
    return values


def _told(meter: Meter) -> str:
    """Say what the chart shows: the share of its scale at a few moments."""
    seconds = meter.points[-1][0] - meter.points[0][0]
    shares = " ".join(f"{value:.0%}" for value in _spread(meter.points, _TOLD))
    scale = f" of {meter.scale}" if meter.scale else ""
    return f"{meter.name} over {duration(seconds)}: {shares}{scale}"


def _img(rows: Sequence[bytes], shown: tuple[int, int], told: str) -> str:
    data = base64.b64encode(png(rows, _COLOURS)).decode("ascii")
    width, height = shown
    # No attributes for the size: where the picture is taken out, they would cut off the text.
    return (
        f'<img src="data:image/png;base64,{data}" style="width:{width}px;height:{height}px" '
        f'alt="{escape(told)}">'
    )
