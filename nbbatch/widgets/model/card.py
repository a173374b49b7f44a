"""Facts about a job, turned into the texts that every form of its card shows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from nbbatch.facts import JobFacts, State
from nbbatch.widgets.log import plain
from nbbatch.widgets.model.advice import advice
from nbbatch.widgets.model.bars import Bar, bars, more_bars
from nbbatch.widgets.model.children import children_bar, children_text, grid
from nbbatch.widgets.model.cost import cost_text
from nbbatch.widgets.model.meters import Meter, meters, peak_text
from nbbatch.widgets.model.parts import Parts, nodes_text
from nbbatch.widgets.model.resources import MAX_FIELD, asked, details, given, place
from nbbatch.widgets.model.states import look
from nbbatch.widgets.model.texts import clip, duration
from nbbatch.widgets.model.timeline import Earlier, Step, steps, steps_before, times

__all__ = ["CardModel", "card_model"]

MAX_MESSAGE = 1000


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
        How many of a multi-node job's nodes, or of an array's children, are in which state.
    place
        Where it runs, in one line: platform, instance, host, zone, queue.
    details
        All that is known of that, as rows of a label and a text.
    url, log_url
        Pages that show the job, and its container's own log; ``""`` where there are none.
    earlier
        The attempts before the current one.
    bars
        Progress that the job's own code reports.
    more_bars
        How many bars there are beyond those, if any.
    parts
        Its nodes, or the children of an array; None where there is but one.
    cost
        What it cost so far, where a price is configured.
    advice
        What to ask for the next time, once the job has ended.
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
    log_url: str = ""
    details: tuple[tuple[str, str], ...] = ()
    earlier: tuple[Earlier, ...] = ()
    bars: tuple[Bar, ...] = ()
    more_bars: str = ""
    parts: Parts | None = None
    cost: str = ""
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the model as plain JSON values, for the page."""
        return {name: _plain(value) for name, value in vars(self).items()}


def card_model(facts: JobFacts, now: float) -> CardModel:
    """Say what a card shows about `facts` at the time `now` (seconds since the epoch)."""
    word, mark, tone = look(facts)
    until = _until(facts, now)
    return CardModel(
        id=facts.id,
        name=clip(plain(facts.name), MAX_FIELD),
        mark=mark,
        word=word,
        tone=tone,
        steps=steps(facts, word),
        since=facts.submitted_at,
        until=until,
        now=now,
        elapsed=duration((now if until is None else until) - facts.submitted_at),
        times=times(facts, now if until is None else until),
        attempt=f"attempt {facts.attempt} of {facts.attempts}" if facts.attempts > 1 else "",
        asked=asked(facts.asked),
        given=given(facts.asked, facts.given),
        nodes=nodes_text(facts.workers or facts.nodes) or children_text(facts),
        parts=grid(facts),
        place=place(facts.given, facts.backend),
        usage=meters(facts),
        peak=peak_text(facts.peak),
        message=clip(" ".join(plain(facts.message).split()), MAX_MESSAGE),
        outcome=facts.outcome,
        done=facts.done,
        url=_link(facts.url),
        log_url=_link(facts.log_url),
        details=details(facts.given),
        earlier=steps_before(facts),
        # It was paid for when it was computed.
        cost="" if facts.cached else cost_text(facts, now if until is None else until),
        advice=advice(facts),
        bars=(*children_bar(facts), *bars(facts.progress, over=_is_over(facts, until))),
        more_bars=more_bars(facts.progress),
    )


def _is_over(facts: JobFacts, until: float | None) -> bool:
    return until is not None or facts.state is not State.RUNNING


def _link(url: str) -> str:
    return url if url.startswith(("https://", "http://")) else ""


def _plain(value: Any) -> Any:
    """Turn rows into dicts; `dataclasses.asdict` would copy each point of each chart, slowly."""
    if dataclasses.is_dataclass(value):
        return {name: _plain(each) for name, each in vars(value).items()}
    rows = isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0])
    return tuple(map(_plain, value)) if rows else value


def _until(facts: JobFacts, now: float) -> float | None:
    if facts.stopped_at is not None:
        return facts.stopped_at
    return now if facts.done else None
