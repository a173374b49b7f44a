"""The card's final form: plain HTML and plain text that need neither kernel nor page script.

This is what stays in a saved notebook, and what GitHub, nbconvert and an untrusted notebook
show.

==========  =========================================
`texts`     the card in words
`fold`      the card as HTML, folded
`pictures`  charts and bars as pictures
`png`       the pictures' format
==========  =========================================
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

from nbbatch.facts import JobFacts
from nbbatch.widgets.log import Line
from nbbatch.widgets.model import card_model, clock_time
from nbbatch.widgets.static import texts
from nbbatch.widgets.static.fold import folded, weight

__all__ = ["bundle", "live_html", "live_text", "render_html", "render_story", "render_text"]

#: What a card may weigh in the saved notebook, some hundred bytes of its cell's JSON apart.
MAX_BYTES = 19_000


def render_text(facts: JobFacts, now: float | None = None) -> str:
    """Write the card as one line of text."""
    model = card_model(facts, time.time() if now is None else now)
    return " — ".join([" · ".join(texts.line(model)), *texts.remarks(model)])


def render_story(facts: JobFacts, now: float | None = None) -> str:
    """Write all that is known about a job, its log and its charts aside, as text."""
    return texts.story(card_model(facts, time.time() if now is None else now))


def render_html(facts: JobFacts, tail: Sequence[Line] = (), now: float | None = None) -> str:
    """Write the card as one line that unfolds to the story of the job and the end of its log.

    Parameters
    ----------
    tail
        (stream name, line) pairs, the last lines of the log without escape sequences.
    """
    now = time.time() if now is None else now
    room = MAX_BYTES - weight(render_text(facts, now))
    return folded(card_model(facts, now), tail, room)


def bundle(facts: JobFacts, tail: Sequence[Line]) -> dict[str, str]:
    """Return the MIME bundle that replaces the live card at the end.

    Of a job that has not ended it says when it was seen so, and how to see it again.
    """
    now = time.time()
    return {"text/html": render_html(facts, tail, now), "text/plain": render_text(facts, now)}


def live_text(facts: JobFacts) -> str:
    """Write what stands in for a card that is still live, as text."""
    return f"{facts.name} · submitted at {clock_time(facts.submitted_at)} · job {facts.id}"


def live_html(facts: JobFacts) -> str:
    """Write what stands in for a card that is still live, where its kernel is gone."""
    return (
        f"<div>○ <b>{escape(facts.name)}</b> was submitted at {clock_time(facts.submitted_at)}; "
        "its live card needs the kernel that showed it. To see it again: "
        f"<code>%batch card {escape(facts.id)}</code></div>"
    )
