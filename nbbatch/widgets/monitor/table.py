"""Many jobs as a plain table: what stays in a saved notebook, and what a terminal prints.

As for the card (see `static`), every style is inline and every colour inherited.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

from nbbatch.facts import JobFacts
from nbbatch.widgets.model import clip, clock_time, duration
from nbbatch.widgets.model.row import Row, row

__all__ = ["table_bundle", "table_html", "table_text"]

#: What a table may weigh in the saved notebook, both forms together.
MAX_BYTES = 19_000
_HEAD = ("Job", "Name", "State", "Submitted", "Time", "Use", "Message")
_MAX_NAME, _MAX_MESSAGE = 60, 160
_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"
_NOWRAP = f"{_CELL};white-space:nowrap"
#: Columns whose texts may be long.
_LONG = ("Name", "Use", "Message")
#: Characters that the parts of a table need besides their rows.
_ROOM = 400


def table_bundle(found: Sequence[JobFacts], older: int = 0) -> dict[str, str]:
    """Return a MIME bundle of both forms, with as many of the newest jobs as fit."""
    rows = _rows(found)
    html = [_html_row(cells, "td") for cells in rows]
    text = [" ".join(cells) for cells in rows]
    left, kept = MAX_BYTES - _ROOM, 0
    for one, other in zip(html, text, strict=True):
        # A line of text is padded to the width of its column: count it twice.
        left -= len(one.encode()) + 2 * len(other.encode()) + 12
        if left < 0:
            break
        kept += 1
    more = older + len(rows) - kept
    return {"text/html": _html(html[:kept], more), "text/plain": _text(rows[:kept], more)}


def table_html(found: Sequence[JobFacts], older: int = 0) -> str:
    """Write jobs as HTML."""
    return _html([_html_row(cells, "td") for cells in _rows(found)], older)


def table_text(found: Sequence[JobFacts], older: int = 0) -> str:
    """Write jobs as text.

    Parameters
    ----------
    older
        How many more there are.
    """
    return _text(_rows(found), older)


def _rows(found: Sequence[JobFacts]) -> list[tuple[str, ...]]:
    now = time.time()
    return [_cells(row(facts, now), now) for facts in found]


def _cells(job: Row, now: float) -> tuple[str, ...]:
    until = job.until if job.done else now
    return (
        job.id,
        clip(job.name, _MAX_NAME),
        job.word,
        clock_time(job.since),
        "" if until is None else duration(until - job.since),
        job.use.replace("\n", ", "),
        clip(job.message, _MAX_MESSAGE),
    )


def _html(rows: Sequence[str], more: int) -> str:
    if not rows and not more:
        return f"<div>{_NONE}</div>"
    head = _html_row(_HEAD, "th")
    return (
        f'<table style="border-collapse:collapse">{head}{"".join(rows)}</table>{_more_html(more)}'
    )


def _html_row(cells: Sequence[str], tag: str) -> str:
    styles = [_CELL if title in _LONG else _NOWRAP for title in _HEAD]
    shown = zip(cells, styles, strict=True)
    return f"<tr>{''.join(f'<{tag} style={s!r}>{escape(text)}</{tag}>' for text, s in shown)}</tr>"


def _more_html(more: int) -> str:
    return f"<div>{_more(more)}</div>" if more else ""


def _text(rows: Sequence[tuple[str, ...]], more: int) -> str:
    if not rows and not more:
        return _NONE
    # What a job says needs no title above it.
    lines = [(*map(str.upper, _HEAD[:-1]), ""), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD) - 1)] + [0]
    shown = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([*shown, *([_more(more)] if more else [])])


_NONE = "no jobs yet: %%batch above a cell, or @batch above a function, starts one"


def _more(count: int) -> str:
    return f"and {count} older: %batch jobs --all lists every one"
