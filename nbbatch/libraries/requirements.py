"""A file of requirements, as pip reads it: https://pip.pypa.io/en/stable/reference/requirements-file-format/.

Of its options those that say where packages come from are kept; how they are built or shown is
nobody's business here.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

from nbbatch.libraries.installed import installed
from nbbatch.worker.run.fingerprint import normalized

__all__ = ["Said", "decoded", "installed_here", "is_elsewhere", "masked", "read"]

_OPTION: Final = re.compile(r"(-[a-zA-Z]|--[\w-]+)[ =]*(.*)")
_FILES: Final = {"-r", "--requirement"}
_LIMITS: Final = {"-c", "--constraint"}
_SOURCES: Final = {"-e", "--editable"}
_SHORT: Final = {"-i": "--index-url", "-f": "--find-links"}
_INDEXES: Final = {"--index-url", "--extra-index-url", "--find-links", "--no-index"}
_HASH: Final = re.compile(r"\s--hash[= ](\S+)")
#: Options of one requirement, as ``--hash`` and ``--config-settings``.
_OWN: Final = re.compile(r"\s--[a-z].*")
_MARKS: Final = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PASSWORD: Final = re.compile(r"://(?!git@)[^/@\s]+@")
_ARCHIVES: Final = (".whl", ".gz", ".zip", ".bz2")
_EGG: Final = re.compile(r"[#&]egg=([\w.-]+)")


@dataclass
class Said:
    """What a file says.

    Attributes
    ----------
    requirements
        Without options.
    limits
        Those that only count should something need them.
    indexes
        The options that say where packages come from, one a line.
    hashes
        Requirement to what its archives are, as ``sha256:...``.
    places
        Requirement to the line that says it, in words.
    """

    requirements: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    hashes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> Said:
    """Read a file, and those that it names.

    Raises
    ------
    OSError, ValueError
        One is not there, or is no text.
    """
    said = Said()
    for line, file, number in _lines(path, said, frozenset()):
        text = _placed(_OWN.sub("", line).strip(), file.parent)
        said.requirements.append(text)
        said.places.setdefault(text, f"line {number} of {file}")
        hashes = tuple(_HASH.findall(line))
        if hashes:
            said.hashes[text] = hashes
    return said


def _lines(path: Path, said: Said, above: frozenset[Path]) -> Iterator[tuple[str, Path, int]]:
    """Yield what is asked for, each with its file and the line there; note the rest."""
    whole = path.resolve()
    if whole in above:
        return
    for number, plain in _whole_lines(decoded(path.read_bytes())):
        option = _OPTION.fullmatch(plain)
        if option is None:
            if plain:
                yield plain, path, number
            continue
        name, value = option[1], option[2].strip().strip("'\"")
        if name in _FILES:
            yield from _lines(path.parent / value, said, above | {whole})
        elif name in _LIMITS:
            found = _lines(path.parent / value, said, above | {whole})
            limits = (_OWN.sub("", text).strip() for text, _, _ in found)
            said.limits += [text for text in limits if not is_elsewhere(text)]
        elif name in _SOURCES:
            yield value if ":" in value else f"./{value}", path, number
        elif _SHORT.get(name, name) in _INDEXES:
            value = value if not value or "://" in value else _whole(value, path.parent)
            said.indexes.append(f"{_SHORT.get(name, name)} {value}".strip())


def _whole_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines without comments, each with its number; a backslash joins it to the next."""
    begun = 0
    parts: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        begun = begun if parts else number
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\") or line.lstrip().startswith("#"):
            yield begun, re.sub(r"(^|\s)#.*$", "", " ".join(parts)).strip()
            parts = []


def decoded(data: bytes) -> str:
    """Return a file's text; what editors and shells put before it says in which encoding it is."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8-sig")
    # pip takes any bytes in comments.
    return data.decode(encoding, "replace")


def masked(text: str) -> str:
    """Return a text with addresses that have lost their passwords."""
    return _PASSWORD.sub("://***@", text)


def _placed(text: str, folder: Path) -> str:
    """Return a path by its whole; anything else as it is."""
    plain, bracket, extras = text.partition("[")
    if text.startswith((".", "/", "~")) or ("/" in plain and "@" not in plain and ":" not in plain):
        return _whole(plain, folder) + bracket + extras
    return text


def _whole(path: str, folder: Path) -> str:
    return os.path.normpath(folder.absolute() / os.path.expanduser(path))


def is_elsewhere(text: str) -> bool:
    """Tell an address, a folder or a file from a requirement, even from one with a slip."""
    plain = text.partition(";")[0].strip()
    name, at, address = plain.partition("@")
    if at and "/" in address:
        return True
    return "/" in name or name.startswith(".") or name.endswith(_ARCHIVES)


def installed_here(text: str) -> bool:
    """Tell whether the kernel has what an address, a folder or a file has brought."""
    there, name = installed().by_name, _name(text)
    if name:
        return normalized(name) in there
    address = Path(text.partition("[")[0]).absolute().as_uri()
    return any(found.origin.get("url") == address for found in there.values())


def _name(text: str) -> str:
    """Return the name of what lies elsewhere, where it says it."""
    try:
        return Requirement(text).name
    except InvalidRequirement:
        pass
    egg = _EGG.search(text)
    if egg is not None:
        return egg[1]
    file = text.rpartition("/")[2].partition("#")[0]
    return file.partition("-")[0] if file.endswith(_ARCHIVES) else ""
