"""The card as text: one line, and the whole story in some more."""

from __future__ import annotations

from collections.abc import Iterator

from nbbatch.widgets.model import CardModel, Parts, clip, clock_time

__all__ = ["earlier", "facts_of", "line", "parts_counts", "parts_failed", "remarks", "story", "way"]

#: Attempts, failed parts and loops that are named; the others are counted.
NAMED = 8
_MOST = 200


def line(model: CardModel, *, brief: bool = False) -> tuple[str, ...]:
    """Return the texts of the one line: the state, then what is known.

    Parameters
    ----------
    brief
        Whether to leave out what stands right below it.
    """
    texts = (
        f"{model.mark} {model.word}",
        model.name,
        model.elapsed if model.done else "",
        model.attempt,
        "" if brief and model.done else model.given or model.asked,
        model.peak and f"peak {model.peak}",
        model.cost,
    )
    return tuple(filter(None, texts))


def remarks(model: CardModel) -> tuple[str, ...]:
    """Return what belongs beside the line: why it is so, what to do."""
    if not model.done:
        return (model.message, last_seen(model)) if model.message else (last_seen(model),)
    message = "" if model.tone == "ok" else model.message
    return tuple(filter(None, (message, model.advice)))


def last_seen(model: CardModel) -> str:
    """Say from when this is, and how to see more: it will not change any more."""
    return f"last seen {clock_time(model.now)}; %batch card {model.id} shows it now"


def way(model: CardModel) -> str:
    """Write the states that the job was in, each with its time."""
    steps = [step for step in model.steps if step.phase != "next"]
    return " → ".join(f"{step.word} {step.time}".strip() for step in steps)


def earlier(model: CardModel) -> tuple[str, ...]:
    """Write a line for each attempt before the last; of many, the latest."""
    lines = [
        f"attempt {one.attempt}: {one.word}{one.time and f' after {one.time}'}"
        + (f": {clip(one.message, _MOST)}" if one.message else "")
        for one in model.earlier[-NAMED:]
    ]
    more = len(model.earlier) - len(lines)
    return (*([f"{more} before these"] if more else []), *lines)


def facts_of(model: CardModel) -> Iterator[tuple[str, str]]:
    """Yield a label and a text for each thing that is known."""
    rows = (
        ("Asked", model.asked),
        ("Given", model.given),
        ("Where", "" if model.details else model.place),
        *model.details,
        ("Nodes", "" if model.parts else model.nodes),
        ("Peak use", "" if model.usage else model.peak),
        ("Time", f"{model.times}; submitted at {clock_time(model.since)}"),
        ("Message", model.message if model.done and model.tone == "ok" else ""),
    )
    return ((label, clip(text, _MOST)) for label, text in rows if text)


def parts_counts(parts: Parts) -> str:
    """Count the parts by their states."""
    return ", ".join(f"{count} {word.lower()}" for word, count in parts.counts)


def parts_failed(parts: Parts) -> tuple[str, ...]:
    """Name those that failed; of many, the first."""
    failed = [cell for cell in parts.cells if cell.tone == "bad"]
    named = [
        f"{cell.mark} {parts.kind} {cell.index} {cell.word.lower()}"
        + (f": {clip(cell.text, _MOST)}" if cell.text else "")
        for cell in failed[:NAMED]
    ]
    more = len(failed) - len(named)
    return (*named, *([f"and {more} more"] if more else []))


def story(model: CardModel) -> str:
    """Write all that the unfolded card says, its charts and its log aside."""
    lines = [" · ".join(line(model)), *remarks(model)]
    rows = [("States", way(model)), *facts_of(model)]
    rows += [("Before", text) for text in earlier(model)]
    if model.parts is not None:
        rows.append((model.parts.kind.capitalize() + "s", parts_counts(model.parts)))
        rows += [("", text) for text in parts_failed(model.parts)]
    rows += [(bar.label or "Progress", bar.text) for bar in model.bars[-NAMED:]]
    rows += [("Console", model.url), ("Log", model.log_url), ("Job", model.id)]
    width = max(len(label) for label, _ in rows)
    return "\n".join([*lines, *(f"  {label:<{width}}  {text}" for label, text in rows if text)])
