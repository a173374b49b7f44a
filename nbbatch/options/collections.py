"""What an option takes where it takes several values: from Python, a line, or a variable.

On a line such a flag is given once for each value (``--tags team=ml --tags cost=7``); Python
passes a dict or a list; a variable or a file may hold either as JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from nbbatch.options.kinds import Check, Refused

Pairs = Dict[str, str]


def items(value: object, what: str) -> List[Any]:
    """Return the single values, whatever they came in; `what` is said where they are unreadable."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            raise Refused(what) from None
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    return [value]


def _pairs(value: object, between: str, what: str) -> Iterator[Tuple[str, str]]:
    for item in items(value, what):
        if isinstance(item, Mapping):
            yield from ((_text(name, what), _text(said, what)) for name, said in item.items())
            continue
        name, found, said = _text(item, what).partition(between)
        if not found or not name.strip():
            raise Refused(what)
        yield name.strip(), said


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise Refused(what)
    return value


def pairs(between: str, example: str) -> Check:
    """Take names with values: a dict of texts, or texts of the form of `example`."""
    what = f"texts by name: a dict, or {example}"
    return lambda value: dict(_pairs(value, between, what))


#: Job parameters: https://docs.aws.amazon.com/batch/latest/userguide/job_definition_parameters.html
parameters = pairs("=", "NAME=VALUE")
_TAG = re.compile(r"[\w\s+\-=.:/@]*")


def tags(value: object) -> Pairs:
    """Take tags, within AWS's rules.

    https://docs.aws.amazon.com/batch/latest/userguide/using-tags.html#tag-restrictions
    """
    found: Pairs = pairs("=", "NAME=VALUE")(value)
    for name, said in found.items():
        if not 1 <= len(name) <= 128 or len(said) > 256:
            raise Refused("tags whose name has up to 128 characters and whose value up to 256")
        if name.lower().startswith("aws:") or said.lower().startswith("aws:"):
            raise Refused("tags that don't begin with aws:, which AWS keeps for itself")
        if not (_TAG.fullmatch(name) and _TAG.fullmatch(said)):
            raise Refused("tags of letters, digits, spaces and + - = . _ : / @")
    if len(found) > 50:
        raise Refused("at most 50 tags")
    return found


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Batch sets these itself and refuses them: the names are reserved.
_RESERVED = ("AWS_BATCH_", "NBBATCH_")


def check_variable(name: str) -> None:
    """Refuse what can't be the name of an environment variable of the user's own."""
    if not _VARIABLE.fullmatch(name):
        raise Refused(f"environment variables, and {name!r} can't be the name of one")
    if name.startswith(_RESERVED):
        raise Refused("names that don't begin with AWS_BATCH_ or NBBATCH_, which are reserved")


def environment(value: object) -> Pairs:
    """Take environment variables."""
    found: Pairs = pairs("=", "NAME=VALUE")(value)
    for name in found:
        check_variable(name)
    return found


#: As Metaflow writes them, ``"name:value"``.
log_options = pairs(":", "NAME:VALUE")


def _mounts(value: object, what: str) -> Iterator[Tuple[str, str]]:
    for item in items(value, what):
        source, _, target = _text(item, what).strip().partition(":")
        yield source, target


def host_volumes(value: object) -> Tuple[Tuple[str, str], ...]:
    """Take folders of the host, each with its path in the container: the same by default."""
    what = "absolute paths, /on/the/host or /on/the/host:/in/the/container"
    found = tuple((host, inside or host) for host, inside in _mounts(value, what))
    if not all(path.startswith("/") for pair in found for path in pair):
        raise Refused(what)
    return found


_EFS = re.compile(r"fs-[0-9a-f]{8,40}")


def efs_volumes(value: object) -> Tuple[Tuple[str, str], ...]:
    """Take EFS file systems, each with its path in the container: ``/mnt/ID`` by default."""
    what = "EFS file systems, fs-0123456789abcdef0 or fs-0123456789abcdef0:/in/the/container"
    found = tuple((id_, inside or f"/mnt/{id_}") for id_, inside in _mounts(value, what))
    if not all(_EFS.fullmatch(id_) and inside.startswith("/") for id_, inside in found):
        raise Refused(what)
    return found


#: https://docs.aws.amazon.com/batch/latest/APIReference/API_Ulimit.html
_ULIMIT = re.compile(r"([a-z]+)=(-?[0-9]+)(?::(-?[0-9]+))?")


def ulimits(value: object) -> Tuple[Tuple[str, int, int], ...]:
    """Take limits of the container's processes: name, soft limit, hard limit."""
    what = "limits, nofile=1024 or nofile=1024:4096 (soft:hard)"
    found = []
    for item in items(value, what):
        lines = _limits(item) if isinstance(item, Mapping) else [item]
        for line in lines:
            match = _ULIMIT.fullmatch(line.strip()) if isinstance(line, str) else None
            if match is None:
                raise Refused(what)
            soft = int(match[2])
            found.append((match[1], soft, int(match[3]) if match[3] else soft))
    return tuple(found)


def _limits(limits: Mapping[Any, Any]) -> List[str]:
    return [
        f"{name}={':'.join(map(str, limit)) if isinstance(limit, (list, tuple)) else limit}"
        for name, limit in limits.items()
    ]


def jobs(value: object) -> Tuple[str, ...]:
    """Take jobs: `Job` objects, their ids or names, or Batch's own ids."""
    what = "jobs: Job objects, or ids as %batch jobs lists them; at most 20"
    given = [value] if hasattr(value, "batch_job_id") else items(value, what)
    found: List[Any] = [getattr(item, "id", item) for item in given]
    words = [word for item in found for word in _text(item, what).replace(",", " ").split()]
    if not words or len(words) > 20:
        raise Refused(what)
    return tuple(dict.fromkeys(words))


#: What an attempt may have ended of, in words.
CONDITIONS = ("any", "error", "image", "memory", "spot")


def conditions(value: object) -> Tuple[str, ...]:
    """Take reasons to try again: words of `CONDITIONS`, and exit codes."""
    what = "reasons to try again: " + ", ".join(CONDITIONS) + ", or exit codes from 1 to 255"
    words: List[str] = []
    for item in items(value, what):
        if isinstance(item, bool) or not isinstance(item, (str, int)):
            raise Refused(what)
        words += str(item).replace(",", " ").split()
    for word in words:
        if word not in CONDITIONS and not (word.isdigit() and 1 <= int(word) <= 255):
            raise Refused(what)
    return tuple(dict.fromkeys(words))


def fields(value: object) -> Mapping[str, Any]:
    """Take fields of a request as they are: a dict, or JSON."""
    what = "fields of SubmitJob or RegisterJobDefinition: a dict, or JSON"
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise Refused(what) from None
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise Refused(what)
    return dict(value)
