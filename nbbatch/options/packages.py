"""Options that name packages of conda's, and the channels that they come from."""

from __future__ import annotations

import re
from typing import Iterator, Mapping, Tuple

from nbbatch.options.collections import items
from nbbatch.options.kinds import Refused, kind, plain

#: https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
_SPEC = re.compile(r"([\w./:+-]+::)?[A-Za-z0-9_][\w.-]*(\s*[=<>!~\[].*|\s+[\d*].*)?")
_CHANNEL = re.compile(r"[^\s,'\"]+")


@kind("packages as conda takes them: a list of them, or a dict of name to version")
def conda_specs(value: object) -> Tuple[str, ...]:
    """Take packages; ``name=1.2`` is conda's: 1.2 or one of its series, as 1.2.3."""
    found = tuple(spec for item in items(value) for spec in _specs(item))
    if not found:
        raise Refused
    return found


def _specs(item: object) -> Iterator[str]:
    if isinstance(item, Mapping):
        for name, version in item.items():
            said = plain(version).strip()
            # Two signs are that very one, one is a series of it: none is added to them.
            yield _spec(f"{_text(name)}{'=' if said[:1] not in ('', *'<>!~=') else ' '}{said}")
    else:
        yield _spec(_text(item))


def _spec(text: str) -> str:
    # On a line, as for other dicts: no version at all, or one with an operator of its own.
    found = re.sub(r"^([\w.:/+-]+)=\s*(?=[<>!~]|$)", r"\1 ", text.strip()).strip()
    if _SPEC.fullmatch(found) is None:
        raise Refused(f"{text!r} is none")
    return found


@kind("channels: names or addresses, in the order in which they count")
def channels(value: object) -> Tuple[str, ...]:
    """Take channels; a text may name several, with commas between, as Metaflow's variable does."""
    names = [name.strip() for item in items(value) for name in _text(item).split(",")]
    if not names or not all(_CHANNEL.fullmatch(name) for name in names):
        raise Refused
    return tuple(names)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Refused
    return value
