"""The card's final form: plain HTML and plain text that need neither kernel nor page script.

This is what stays in a saved notebook, and what GitHub, nbconvert and an untrusted notebook
show. Those strip style blocks, scripts, ids and variables, so every style is inline and every
colour inherited; the state is a sign and a word.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from html import escape

from nbbatch.facts import JobFacts
from nbbatch.widgets.log import TAIL_LINES, Line
from nbbatch.widgets.model import CardModel, card_model, clock_time

__all__ = ["bundle", "live_html", "live_text", "render_html", "render_text"]

#: What a card may weigh in the saved notebook, some hundred bytes of its cell's JSON apart.
MAX_BYTES = 19_000
MAX_URL = 500

_MONO = "font-family:monospace;font-size:90%;line-height:1.35"
_PRE = f"{_MONO};margin:6px 0 0 0;max-height:24em;overflow:auto;white-space:pre-wrap"


def render_text(facts: JobFacts, now: float | None = None) -> str:
    """Write the card as one line of text."""
    model = card_model(facts, time.time() if now is None else now)
    line = " · ".join(filter(None, _line(model)))
    return f"{line} — {model.message}" if model.message and _show_message(model) else line


def render_html(facts: JobFacts, tail: Sequence[Line] = (), now: float | None = None) -> str:
    """Write the card as one line that unfolds to its resources and the end of its log.

    Parameters
    ----------
    tail
        (stream name, line) pairs, the last lines of the log without escape sequences.
    """
    now = time.time() if now is None else now
    model = card_model(facts, now)
    head, *rest = filter(None, _line(model))
    line = f"<b>{escape(head)}</b>" + "".join(f" · {escape(text)}" for text in rest)
    if model.message and _show_message(model):
        line += f'<div style="padding:2px 0 0 18px">{escape(model.message)}</div>'
    start = (
        '<details style="padding:4px 0;line-height:1.5">'
        f'<summary style="cursor:pointer">{line}</summary>'
        f'<div style="padding:4px 0 4px 18px">{_table(model)}'
    )
    room = MAX_BYTES - _weight(start) - _weight(render_text(facts, now)) - len(_PRE)
    return f"{start}{_log(tail, room)}</div></details>"


def bundle(facts: JobFacts, tail: Sequence[Line]) -> dict[str, str]:
    """Return the MIME bundle that replaces the live card at the end."""
    return {"text/html": render_html(facts, tail), "text/plain": render_text(facts)}


def live_text(facts: JobFacts) -> str:
    """Write what stands in for a card that is still live, as text."""
    return f"{facts.name} · started at {clock_time(facts.submitted_at)}"


def live_html(facts: JobFacts) -> str:
    """Write what stands in for a card that is still live, where its kernel is gone."""
    return (
        f"<div>○ <b>{escape(facts.name)}</b> started at {clock_time(facts.submitted_at)}; "
        f"the live view needs its kernel. Job {escape(facts.id)}: "
        f"<code>%batch attach {escape(facts.id)}</code></div>"
    )


def _line(model: CardModel) -> tuple[str, ...]:
    return (
        f"{model.mark} {model.word}",
        model.name,
        model.elapsed,
        model.attempt,
        model.given or model.asked,
        model.peak and f"peak {model.peak}",
    )


def _show_message(model: CardModel) -> bool:
    return model.tone != "ok"


def _table(model: CardModel) -> str:
    rows = (
        ("Asked", model.asked),
        ("Given", model.given),
        ("Nodes", model.nodes),
        ("Where", model.place),
        ("Peak use", model.peak),
        ("Time", f"{model.times}; submitted at {clock_time(model.since)}"),
        ("Attempt", model.attempt.removeprefix("attempt ")),
        ("Message", "" if _show_message(model) else model.message),
        ("Job", model.id),
    )
    cells = "".join(_row(name, escape(text)) for name, text in rows if text)
    return f"<div>{cells}{_link(model.url)}</div>"


def _row(name: str, html: str) -> str:
    return f"<div><b>{name}:</b> {html}</div>"


def _link(url: str) -> str:
    if not url or len(url) > MAX_URL:
        return ""
    return _row("Console", f'<a href="{escape(url)}" target="_blank">{escape(url)}</a>')


def _log(tail: Sequence[Line], room: int) -> str:
    """Show as many of the last lines as `room` bytes of notebook file hold."""
    kept: list[str] = []
    for name, line in reversed(tail[-TAIL_LINES:]):
        html = _written(name, line)
        room -= _weight(html)
        if room < 0:
            break
        kept.append(html)
    body = "\n".join(reversed(kept))
    return f'<pre style="{_PRE}">{body}</pre>' if body else ""


def _weight(html: str) -> int:
    """Count what a line takes in a notebook file: a JSON text of its own, indented."""
    return len(json.dumps(html, ensure_ascii=False).encode("utf-8", "replace")) + 12


def _written(name: str, line: str) -> str:
    text = escape(line)
    # Not by colour: the streams differ in slant, and in what a screen reader says.
    return f'<i title="stderr">{text}</i>' if name == "stderr" and text else text
