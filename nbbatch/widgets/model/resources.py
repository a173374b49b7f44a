"""What was asked for and what was given, and where the job runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from nbbatch.widgets.log import plain
from nbbatch.widgets.model.texts import clip, number, short, size

__all__ = ["MAX_FIELD", "asked", "details", "given", "place"]

#: Longer texts are cut: a card is read at a glance, and saved in the notebook.
MAX_FIELD = 200


def _vcpus(value: float) -> str:
    return f"{short(value)} vCPU"


def _gpus(value: float) -> str:
    return f"{value:.0f} GPU" + ("s" if value > 1 else "")


def _memory(value: float) -> str:
    return size(value * (1 << 20))


#: The platform of the local backend: the backend's own name says it already.
HERE = "this machine"
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


#: As people write what backends tell.
_PLATFORMS = {"FARGATE": "Fargate", "EC2 spot": "EC2 Spot"}


def place(got: Mapping[str, Any], backend: str) -> str:
    """Write in one line where a job runs, the backend first."""
    rows = dict(details(got))
    texts = [rows.get(label, "") for label in ("Platform", "Instance", "Host", "Zone", "Queue")]
    if got.get("platform") == HERE:
        texts[0] = ""
    return " · ".join([backend, *filter(None, texts)])


def details(got: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what is known of where a job runs, besides its resources, as labels and texts."""
    python, system = _plain(got.get("python")), _plain(got.get("system"))
    rows = (
        ("Instance", _with(_plain(got.get("instance")), _plain(got.get("instance_id")))),
        ("Host", _plain(got.get("host"))),
        ("Platform", _platform(got)),
        ("Zone", _plain(got.get("zone")) or _plain(got.get("region"))),
        ("GPU", _names(got.get("gpus"))),
        ("Image", _plain(got.get("image"))),
        ("Queue", _plain(got.get("queue"))),
        ("Python", _with(python, system)),
        ("Note", _plain(got.get("note"))),
    )
    return tuple((label, clip(text, MAX_FIELD)) for label, text in rows if text)


def _with(text: str, more: str) -> str:
    return f"{text} ({more})" if text and more else text


def _platform(got: Mapping[str, Any]) -> str:
    spot = " spot" if got.get("life") == "spot" else ""
    name = _plain(got.get("platform")) + spot
    return _PLATFORMS.get(name, name)


def _names(gpus: object) -> str:
    """Write names, equal ones once: ``2 NVIDIA A10G``."""
    counts = Counter(filter(None, map(_plain, gpus if isinstance(gpus, (list, tuple)) else ())))
    return ", ".join(f"{n} {name}" if n > 1 else name for name, n in counts.items())


def _plain(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(filter(None, map(_plain, value)))
    return plain(value) if isinstance(value, str) else ""
