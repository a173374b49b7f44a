"""What an option takes where it takes several values: from Python, a line, or a variable.

On a line such a flag is given once for each value (``--tags team=ml --tags cost=7``); Python
passes a dict or a list; a variable or a file may hold either as JSON. What was taken once (texts
by name, tuples) is taken again as it is.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, Mapping, Tuple

from nbbatch.options.kinds import Kind, Refused, kind, plain

Pairs = Dict[str, str]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("it is not JSON") from None


def items(value: object) -> Iterator[Any]:
    """Yield the single values, whatever they came in."""
    if isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from items(item) if isinstance(item, str) else [item]
    elif isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        found = _json(value)
        yield from found if isinstance(found, list) else [found]
    else:
        yield value


def _named(value: object, between: str) -> Iterator[Tuple[str, str]]:
    """Yield names with what they are given; the second is empty where nothing was said."""
    for item in items(value):
        if isinstance(item, Mapping):
            yield from ((_text(name), plain(said)) for name, said in item.items())
        elif isinstance(item, (list, tuple)):
            name, said = _two(item)
            yield _text(name), plain(said)
        else:
            name, _, said = plain(_text(item)).partition(between)
            yield name.strip(), said


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Refused
    return value


def _two(item: Any) -> Tuple[Any, Any]:
    if len(item) != 2:
        raise Refused
    return item[0], item[1]


def _texts(value: object, between: str) -> Pairs:
    found: Pairs = {}
    for item in items(value):
        if isinstance(item, str) and between not in item:
            raise Refused(f"{item!r} has no {between}")
        for name, said in _named([item], between):
            if not name:
                raise Refused("a name is missing")
            if found.setdefault(plain(name), said) != said:
                raise Refused(f"{name} is given twice")
    return found


#: Job parameters: https://docs.aws.amazon.com/batch/latest/userguide/job_definition_parameters.html
parameters = Kind("NAME=VALUE, or a dict of texts", lambda value: _texts(value, "="))

#: Letters and digits of any script, and these.
_TAG = r"[\w +\-=.:/@]*"


@kind(
    "NAME=VALUE, or a dict of texts, at most 50; names of 1 to 128 and values of up to 256 "
    "letters, digits, spaces and + - = . _ : / @"
)
def tags(value: object) -> Pairs:
    """Take tags, within AWS's rules.

    https://docs.aws.amazon.com/batch/latest/userguide/using-tags.html#tag-restrictions
    """
    found = _texts(value, "=")
    if len(found) > 50:
        raise Refused(f"these are {len(found)}")
    for name, said in found.items():
        if name.lower().startswith("aws:") or said.lower().startswith("aws:"):
            raise Refused("what begins with aws: is AWS's own")
        for text, most in ((name, 128), (said, 256)):
            if len(text) > most:
                raise Refused(f"one of {len(text)} characters is too long")
            if not re.fullmatch(_TAG, text):
                raise Refused(f"{text!r} has others")
    return found


_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
#: Batch sets and refuses the first: "environment variables can't start with AWS_BATCH".
_RESERVED = ("AWS_BATCH", "NBBATCH_")


def check_variable(name: str) -> None:
    """Refuse what can't be the name of an environment variable of the user's own."""
    if not re.fullmatch(_VARIABLE, name):
        raise Refused(f"{name!r} can't be the name of a variable")
    if name.startswith(_RESERVED):
        raise Refused(f"{name} is reserved")


@kind(
    "NAME=VALUE, or a dict of texts; names of letters, digits and _, not beginning with "
    "a digit, AWS_BATCH or NBBATCH_"
)
def environment(value: object) -> Pairs:
    """Take environment variables."""
    found = _texts(value, "=")
    for name in found:
        check_variable(name)
    return found


_LOG_OPTION = r"[\w.-]+"


@kind("NAME:VALUE, as Metaflow writes them, or a dict of texts")
def log_options(value: object) -> Pairs:
    """Take options of a log driver."""
    found = _texts(value, ":")
    for name in found:
        if not re.fullmatch(_LOG_OPTION, name):
            raise Refused(f"{name!r} can't be the name of one")
    return found


#: A colon would say more than we know: of ``/a:/b:ro`` the ``ro`` would be part of the path.
_PATH = r"/[^\0:]*"
Mounts = Tuple[Tuple[str, str], ...]


def _mounts(value: object, source: str, inside: str) -> Mounts:
    found = {}
    for name, given in _named(value, ":"):
        path = given.strip() or inside.format(name)
        if not re.fullmatch(source, name) or not re.fullmatch(_PATH, path) or not path.strip("/"):
            raise Refused(f"{name}{given and ':' + given} is none")
        if path in found:
            raise Refused(f"{path} is there twice")
        found[path] = name
    return tuple((name, path) for path, name in found.items())


@kind("/ON/THE/HOST or /ON/THE/HOST:/IN/THE/CONTAINER, absolute paths; a list of them, or a dict")
def host_volumes(value: object) -> Mounts:
    """Take folders of the host, each with its path in the container: the same by default."""
    return _mounts(value, _PATH, "{}")


@kind(
    "fs-ID or fs-ID:/IN/THE/CONTAINER, fs- and 8 to 40 hexadecimal digits; a list of them, "
    "or a dict"
)
def efs_volumes(value: object) -> Mounts:
    """Take EFS file systems, each with its path in the container: ``/mnt/ID`` by default."""
    return _mounts(value, r"fs-[0-9a-f]{8,40}", "/mnt/{}")


#: https://docs.aws.amazon.com/batch/latest/APIReference/API_Ulimit.html
ULIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
    "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip
_LIMIT = r"\s*([a-z]+)=(-?[0-9]{1,10})(?::(-?[0-9]{1,10}))?\s*"
_MOST = (1 << 31) - 1


@kind(
    f"NAME=LIMIT or NAME=SOFT:HARD, or a dict; limits from -1 (none) to {_MOST}, the soft one "
    f"not above the hard one; names: {', '.join(ULIMITS)}"
)
def ulimits(value: object) -> Tuple[Tuple[str, int, int], ...]:
    """Take limits of the container's processes: name, soft limit, hard limit."""
    found: Dict[str, Tuple[str, int, int]] = {}
    for line in _limits(value):
        match = re.fullmatch(_LIMIT, line)
        if match is None or match[1] not in ULIMITS:
            raise Refused
        soft = int(match[2])
        hard = int(match[3]) if match[3] else soft
        if not all(-1 <= limit <= _MOST for limit in (soft, hard)) or _above(soft, hard):
            raise Refused
        if match[1] in found:
            raise Refused(f"{match[1]} is given twice")
        found[match[1]] = (match[1], soft, hard)
    return tuple(found.values())


def _above(soft: int, hard: int) -> bool:
    return hard != -1 and (soft > hard or soft == -1)


def _limits(value: object) -> Iterator[str]:
    """Yield limits in the form of a line."""
    for item in items(value):
        if isinstance(item, Mapping):
            yield from (_limit(name, said) for name, said in item.items())
        elif isinstance(item, (list, tuple)) and item:
            yield _limit(item[0], item[1:])
        else:
            yield _text(item)


def _limit(name: object, said: object) -> str:
    several = said if isinstance(said, (list, tuple)) else [said]
    return f"{name}={':'.join(map(plain, several))}"


@kind("1 to 20 jobs: Job objects, or ids as %batch jobs lists them")
def jobs(value: object) -> Tuple[str, ...]:
    """Take jobs: `Job` objects, their ids or names, or Batch's own ids."""
    given = [value] if hasattr(value, "batch_job_id") else items(value)
    texts = [_text(getattr(item, "id", item)) for item in given]
    words = dict.fromkeys(word for text in texts for word in text.replace(",", " ").split())
    if not 1 <= len(words) <= 20:
        raise Refused
    return tuple(words)


#: What an attempt may have ended of, in words.
CONDITIONS = ("any", "error", "image", "memory", "spot")
_EXIT_CODE = r"0*([1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"


@kind(f"one or more of {', '.join(CONDITIONS)}, and exit codes from 1 to 255")
def conditions(value: object) -> Tuple[str, ...]:
    """Take reasons to try again: words of `CONDITIONS`, and exit codes."""
    words: Dict[str, None] = {}
    for item in items(value):
        if isinstance(item, bool) or not isinstance(item, (str, int)):
            raise Refused
        for word in plain(item).replace(",", " ").split():
            code = re.fullmatch(_EXIT_CODE, word)
            if code is None and word.lower() not in CONDITIONS:
                raise Refused(f"{word!r} is none")
            words[code[1] if code else word.lower()] = None
    if not words:
        raise Refused
    return tuple(words)


@kind("requirements as pip takes them: a list of them, or a dict of name to version")
def requirements(value: object) -> Tuple[str, ...]:
    """Take requirements; a version alone is that very one, as Metaflow has it."""
    found = tuple(text for item in items(value) for text in _required(item))
    if not found:
        raise Refused
    return found


def _required(item: object) -> Iterator[str]:
    if isinstance(item, Mapping):
        for name, version in item.items():
            yield _versioned(_text(name), plain(version))
    else:
        name, equals, version = _text(item).partition("=")
        if not equals or version[:1] == "=" or re.fullmatch(r"[\w.\[\], -]+", name) is None:
            yield _requirement(_text(item))
        else:
            yield _versioned(name, version)


def _versioned(name: str, version: str) -> str:
    """Join both; never into another name, whatever the version begins with."""
    said = version.strip()
    return _requirement(f"{name.strip()}{'' if said[:1] in '<>=!~@;' else '=='}{said}")


def _requirement(text: str) -> str:
    if re.match(r"[A-Za-z0-9][\w.-]*\s*([\[;@<>=!~(,]|\s|$)", text.strip()) is None:
        raise Refused(f"{text!r} is none")
    return text.strip()


@kind("fields of SubmitJob or RegisterJobDefinition: a dict, or JSON")
def fields(value: object) -> Mapping[str, Any]:
    """Take fields of a request as they are."""
    found = _json(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise Refused
    return dict(found)
