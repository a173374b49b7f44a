"""Settings written to ``config.toml`` and taken out again; whatever else is there stays.

The file is the user's: it is edited line by line, so that comments, order and spacing survive,
and the result is read back and compared before it takes the file's place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = str | list[str]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\s*\[")
_VALUE = r"""("(?:[^"\\]|\\.)*"|'[^']*'|\[[^\[\]#\n]*\]|[^\s"'\[#]+)"""


def read(path: Path) -> str:
    """Return the file's text, ``""`` where there is none.

    Raises
    ------
    ConfigurationError
        It can't be read, or is not TOML.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
        tomllib.loads(text)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} can't be read", str(error), "correct it") from error
    return text


def settings(text: str, profile: str) -> dict[str, Any]:
    """Return what a profile's section says, or the file outside of all sections for ``""``."""
    content = tomllib.loads(text)
    if not profile:
        return {k: v for k, v in content.items() if k != "profiles"}
    return dict(content.get("profiles", {}).get(profile, {}))


def with_settings(text: str, profile: str, values: Mapping[str, Value]) -> str:
    """Return the text with these settings in it.

    Raises
    ------
    ConfigurationError
        It is written in a way that can't be edited line by line.
    """
    lines = text.splitlines(keepends=True)
    end = "\r\n" if "\r\n" in text else "\n"
    section = _section(lines, profile)
    if section is None:
        gap = [end] if lines and lines[-1].strip() else []
        lines = [*_ended(lines, end), *gap, f"[profiles.{_key(profile)}]{end}"]
        section = (len(lines), len(lines))
    start, stop = section
    head, body, tail = lines[:start], _ended(lines[start:stop], end), lines[stop:]
    for name, value in values.items():
        body = _set(body, name, f"{_written(value)}", end)
    gap = [end] if tail and tail[0].strip() else []
    result = "".join([*(_ended(head, end) if body else head), *body, *gap, *tail])
    return _checked(text, result, profile, {**settings(text, profile), **values})


def without_settings(text: str, profile: str, values: Mapping[str, Value]) -> str:
    """Return the text without those of these settings that still have these values.

    A section that becomes empty goes too.

    Raises
    ------
    ConfigurationError
        It is written in a way that can't be edited line by line.
    """
    before = settings(text, profile)
    gone = {name for name, value in values.items() if before.get(name) == value}
    lines = text.splitlines(keepends=True)
    section = _section(lines, profile)
    if not gone or section is None:
        return text
    start, stop = section
    body = [line for line in lines[start:stop] if _name(line) not in gone]
    if profile and not "".join(body).strip():
        start, body = start - 1, []
    head = lines[:start]
    while head and not body and not head[-1].strip():
        head.pop()
    result = "".join([*head, *body, *lines[stop:]])
    result = result if result.strip() else ""
    left = {name: value for name, value in before.items() if name not in gone}
    return _checked(text, result, profile, left)


def write(path: Path, text: str) -> Path | None:
    """Put `text` in the file's place at once; an empty one removes the file.

    Returns
    -------
    Path or None
        The copy of what was there before; None where nothing was, or nothing changes.
    """
    before = read(path)
    if text == before:
        return None
    place = Path(os.path.realpath(path))
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    backup = None
    if before:
        backup = place.with_name(place.name + ".bak")
        shutil.copy2(place, backup)
    if not text:
        place.unlink(missing_ok=True)
        return backup
    new = place.with_name(f"{place.name}.{os.getpid()}.new")
    mode = place.stat().st_mode & 0o777 if before else 0o600
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    new.replace(place)
    return backup


def _section(lines: list[str], profile: str) -> tuple[int, int] | None:
    """Return from where to where the lines of a section go, its header left out."""
    headers = [number for number, line in enumerate(lines) if _HEADER.match(line)]
    if not profile:
        return 0, _without_gap(lines, 0, headers[0] if headers else len(lines))
    for number, following in zip(headers, [*headers, len(lines)][1:], strict=True):
        if _table(lines[number]) == {"profiles": {profile: {}}}:
            return number + 1, _without_gap(lines, number + 1, following)
    return None


def _table(header: str) -> Any:
    """Read a line as a table's header; None where it is none."""
    try:
        return tomllib.loads(header)
    except ValueError:
        return None


def _without_gap(lines: list[str], start: int, stop: int) -> int:
    """Leave out what stands right above the next header: it belongs to that."""
    last = stop
    while last > start and (not lines[last - 1].strip() or lines[last - 1].lstrip()[:1] == "#"):
        last -= 1
    # At the end of the file there is no next one, and nothing to leave out but blank lines.
    if stop == len(lines):
        last = stop
        while last > start and not lines[last - 1].strip():
            last -= 1
    return last


def _set(body: list[str], name: str, written: str, end: str) -> list[str]:
    for number, line in enumerate(body):
        if _name(line) == name:
            pattern = re.compile(rf"(\s*[^=]+=\s*){_VALUE}(.*)", re.DOTALL)
            match = pattern.fullmatch(line)
            new = f"{match[1]}{written}{match[3]}" if match else f"{name} = {written}{end}"
            return [*body[:number], new, *body[number + 1 :]]
    return [*body, f"{name} = {written}{end}"]


def _name(line: str) -> str:
    """Return the setting that a line is about, ``""`` for none."""
    match = re.match(r"""\s*(["']?)([A-Za-z0-9_-]+)\1\s*=""", line)
    return match[2] if match else ""


def _ended(lines: list[str], end: str) -> list[str]:
    if lines and not lines[-1].endswith("\n"):
        return [*lines[:-1], lines[-1] + end]
    return lines


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _written(name)


def _written(value: Value) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_written(item) for item in value) + "]"
    # A text in JSON is one in TOML too, but for a character that neither prints.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _checked(before: str, after: str, profile: str, wanted: Mapping[str, Any]) -> str:
    """Return `after` if it says what `before` says but for the one section."""
    expected = tomllib.loads(before)
    rest = expected.get("profiles", {})
    if profile:
        rest = {**rest, profile: dict(wanted)} if wanted else _minus(rest, profile)
        expected = {**expected, "profiles": rest}
    else:
        expected = {**wanted, "profiles": rest}
    try:
        found = tomllib.loads(after)
    except ValueError:
        found = {"unreadable": True}
    if _plain(found) != _plain(expected):
        where = f"its section [profiles.{profile}]" if profile else "the settings at its top"
        raise ConfigurationError(
            "the configuration file can't be edited",
            f"{where} can't be told apart line by line",
            "write one setting a line (name = value), below a header of its own",
        )
    return after


def _minus(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in found.items() if k != name}


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out profiles that say nothing: whether they are there makes no difference."""
    profiles = {k: v for k, v in content.get("profiles", {}).items() if v}
    return {**content, "profiles": profiles}
