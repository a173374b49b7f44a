"""The folded card as HTML: a line, and under it the story of the job.

Everything that viewers strip is done without: style blocks, scripts, classes, ids, variables.
Where they strip inline styles too, what is left still reads in this order. Colours are
inherited; the state is a sign and a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape

from nbbatch.widgets.log import TAIL_LINES, Line
from nbbatch.widgets.model import Bar, CardModel, Meter
from nbbatch.widgets.static import texts
from nbbatch.widgets.static.pictures import SIZES, Size, bar, chart

__all__ = ["folded", "weight"]

#: What the charts may weigh, and how many there are at most: a host may have many GPUs.
_CHARTS_BYTES, _CHARTS = 9_000, 12
#: Of it the log is sure, so charts get smaller first.
_LOG_BYTES = 6_000
_MAX_URL = 500

_MONO = "font-family:monospace;font-size:90%;line-height:1.35"
_PRE = f"{_MONO};margin:2px 0 0 0;max-height:24em;overflow:auto;white-space:pre-wrap"
_GAP = "margin:8px 0 0 0"
_LABEL = "display:inline-block;min-width:7em;opacity:.75"


def folded(model: CardModel, tail: Sequence[Line], room: int) -> str:
    """Write the card as one line that unfolds.

    Parameters
    ----------
    tail
        The last lines of the log, without escape sequences.
    room
        How many bytes of a notebook file it may take.
    """
    start = (
        '<details style="padding:4px 0;line-height:1.5">'
        f'<summary style="cursor:pointer">{_summary(model)}</summary>'
        '<div style="padding:2px 0 4px 18px">'
    )
    end = "</div></details>"
    room -= weight(start) + weight(end)
    rows = _fitting_rows([*_facts(model), *_again(model.id), *_bars(model)], room)
    room -= weight(rows)
    log = _log(model, tail, room)
    charts = _fitting_charts(model.usage, max(room - weight(log), room - _LOG_BYTES))
    log = _log(model, tail, room - weight(charts))
    return f"{start}{rows}{charts}{log}{end}"


def weight(html: str) -> int:
    """Count what a line takes in a notebook file: a JSON text of its own, indented."""
    return len(json.dumps(html, ensure_ascii=False).encode("utf-8", "replace")) + 12


def _summary(model: CardModel) -> str:
    head, *rest = map(escape, texts.line(model, brief=True))
    line = " · ".join([f"<b>{head}</b>", *rest])
    return " — ".join([line, *map(escape, texts.remarks(model))])


def _facts(model: CardModel) -> Iterator[str]:
    yield _row("States", escape(texts.way(model)))
    for line in texts.earlier(model):
        yield _row("Before", escape(line))
    for label, text in texts.facts_of(model):
        yield _row(escape(label), escape(text))
    if model.parts is not None:
        label = escape(model.parts.kind.capitalize() + "s")
        yield _row(label, escape(texts.parts_counts(model.parts)))
        for line in texts.parts_failed(model.parts):
            yield _row("", escape(line))
    links = [_link("console", model.url), _link("log", model.log_url)]
    yield _row("Pages", " · ".join(filter(None, links)))


def _again(id_: str) -> Iterator[str]:
    yield _row("Job", escape(id_))
    yield _row("Open again", f"<code>%batch card {escape(id_)}</code>")


def _fitting_rows(rows: Sequence[str], room: int) -> str:
    """Join the rows that fit; a job may have called anything by names of any length."""
    kept: list[str] = []
    for row in rows:
        room -= weight(row)
        if room > 0:
            kept.append(row)
    return "".join(kept)


def _row(label: str, html: str) -> str:
    if not html:
        return ""
    name = f"{label}:" if label else ""
    return f'<div><span style="{_LABEL}">{name}</span> {html}</div>'


def _link(name: str, url: str) -> str:
    if not url.startswith(("https://", "http://")) or len(url) > _MAX_URL:
        return ""
    return f'<a href="{escape(url)}" target="_blank" rel="noopener">{name}</a>'


def _bars(model: CardModel) -> Iterator[str]:
    return map(_progress, model.bars[-texts.NAMED :])


def _progress(loop: Bar) -> str:
    return _row(escape(loop.label) or "Progress", f"{bar(loop)} {escape(loop.text)}")


def _fitting_charts(usage: Sequence[Meter], room: int) -> str:
    """Draw the figures as fine as fits."""
    room = min(room, _CHARTS_BYTES)
    usage = usage[:_CHARTS]
    drawn = (_charts(usage, size) for size in SIZES)
    return next((html for html in drawn if weight(html) <= room), "")


def _charts(usage: Sequence[Meter], size: Size) -> str:
    shown = "".join(_chart(meter, size) for meter in usage)
    return f'<div style="{_GAP}">{shown}</div>' if shown else ""


def _chart(meter: Meter, size: Size) -> str:
    picture = chart(meter, size)
    if not picture:
        return ""
    peak = f"peak {meter.peak}" if meter.peak else meter.text
    return (
        '<div style="display:inline-block;margin:0 20px 6px 0">'
        f"{escape(meter.name)}: {escape(peak)}<br>{picture}</div>"
    )


def _log(model: CardModel, tail: Sequence[Line], room: int) -> str:
    """Show as many of the last lines as `room` bytes of notebook file hold."""
    head = (
        f'<div style="{_GAP}">End of the log; all of it: '
        f'<code>%batch logs {escape(model.id)}</code></div><pre style="{_PRE}">'
    )
    room -= weight(head) + weight("</pre>")
    kept: list[str] = []
    for name, line in reversed(tail[-TAIL_LINES:]):
        html = _written(name, line)
        room -= weight(html)
        if room < 0:
            break
        kept.append(html)
    body = "\n".join(reversed(kept))
    return f"{head}{body}</pre>" if body else ""


def _written(name: str, line: str) -> str:
    text = escape(line)
    # Not by colour: the streams differ in slant, and in what a screen reader says.
    return f'<i title="stderr">{text}</i>' if name == "stderr" and text else text
