"""What was asked for and what was given, and where the job runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbbatch.widgets.log import plain
from nbbatch.widgets.model.texts import clip, number, short, size

__all__ = ["MAX_FIELD", "asked", "given", "place"]

#: Longer texts are cut: a card is read at a glance, and saved in the notebook.
MAX_FIELD = 200


def _vcpus(value: float) -> str:
    return f"{short(value)} vCPU"


def _gpus(value: float) -> str:
    return f"{value:.0f} GPU" + ("s" if value > 1 else "")


def _memory(value: float) -> str:
    return size(value * (1 << 20))


#: What the backend did without, of what was asked for.
_WITHOUT = "not_applied"
_RESOURCES = (("cpu", _vcpus), ("gpu", _gpus), ("memory", _memory))


def asked(wanted: Mapping[str, Any]) -> str:
    """Write the resources that a job asked for."""
    amounts = ((number(wanted.get(key)), write) for key, write in _RESOURCES)
    return ", ".join(write(amount) for amount, write in amounts if amount)


def given(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> str:
    """Write the resources that a job got, with what it asked for where that differs."""
    parts = []
    for key, write in _RESOURCES:
        before, now = number(wanted.get(key)), number(got.get(key))
        if now is None or (not now and not before):
            continue
        parts.append(_difference(write(now), write(before or 0), now, before))
    return " · ".join(filter(None, [", ".join(parts), _plain(got.get(_WITHOUT))]))


def _difference(got_text: str, wanted_text: str, got: float, wanted: float | None) -> str:
    if wanted is None or got_text == wanted_text:
        return got_text
    if got > wanted:
        return f"{got_text} ({wanted_text} asked)"
    amount, unit = wanted_text.split(" ")
    shared = unit.rstrip("s") == got_text.split(" ")[1].rstrip("s")
    return f"{got_text} of {amount if shared else wanted_text} asked"


def place(got: Mapping[str, Any], backend: str) -> str:
    """Write where a job runs, the backend first."""
    told = (v for k, v in got.items() if k not in ("cpu", "gpu", "memory", _WITHOUT))
    texts = [clip(text, MAX_FIELD) for text in map(_plain, told) if text]
    return " · ".join([backend, *texts][:6])


def _plain(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(filter(None, map(_plain, value)))
    return plain(value) if isinstance(value, str) else ""
