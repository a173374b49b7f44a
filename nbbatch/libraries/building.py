"""From the files of an installed distribution to the pieces of its layer."""

from __future__ import annotations

import configparser
import importlib.util
import os
import posixpath
import re
import stat
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from nbbatch.libraries.compiling import Source
from nbbatch.libraries.installed import Distribution
from nbbatch.wire.layers import Chunk, cut, late

__all__ = ["File", "bytecode", "cached_name", "chunks", "linked", "noted", "program", "uncompiled"]

#: Records of an installation that mean nothing elsewhere; the last one may name private places.
_SKIPPED: Final = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
#: What is installed beside the modules, as `../../../share/x`, goes below them, as with
#: `pip install --target`: programs, and data that `importlib.metadata` finds by the record.
_BESIDE: Final = re.compile(r"(?:\.\./)+((?:bin|share|etc)/.+)")
_BESIDE_IN_RECORD: Final = re.compile(rb"^(?:\.\./)+(?=(?:bin|share|etc)/)", re.MULTILINE)
_PROGRAMS: Final = "bin/"
#: Runs a script with the Python that the image has, wherever that is.
_SHEBANG: Final = b"""#!/bin/sh
'''exec' "$(command -v python3 || command -v python)" "$0" "$@"
' '''
"""
#: What other distributions may link to; what ends in ``.libs`` is a wheel's own.
_LIBRARY: Final = re.compile(
    r"(?!.*\.libs/)(?:.*/)?(?:lib[^/]*\.so|[^/]+\.so\.[\d.]+|[^/]+\.dylib)"
)
_SCRIPT: Final = "import sys\nfrom {module} import {first}\nsys.exit({call}())\n"
#: Of a ``.pyc``: the magic number, the flags, what the source was.
_MAGIC, _FLAGS, _HEAD = 4, 8, 16
#: Says that bytecode belongs to its source unchecked: they travel together, under one hash.
#: https://peps.python.org/pep-0552/
_UNCHECKED: Final = (1).to_bytes(4, "little")

#: A name in the layer, the mode, the bytes.
File = tuple[str, int, memoryview]


def chunks(found: Distribution, *, compiled: bool) -> Iterator[list[Chunk]]:
    """Yield the files of a distribution in what fits a piece.

    Parameters
    ----------
    compiled
        Whether bytecode that this Python has made of them goes along.
    """
    names = sorted(set(found.files))
    scripts = dict(_scripts(found))
    for group in (False, True):
        chosen = [name for name in names if late(name) is group]
        yield from cut(_files(found, chosen, scripts, compiled=compiled))
    yield from cut(_launcher(name, text) for name, text in scripts.items())


def _files(
    found: Distribution, names: list[str], scripts: Container[str], *, compiled: bool
) -> Iterator[File]:
    for name in names:
        place = posixpath.normpath(name)
        if place.endswith(".pyc") or _skipped(found, place):
            continue
        path = found.folder / place
        if place.startswith("../") or (place.startswith(_PROGRAMS) and not _ordinary(found)):
            yield from _beside(path, place, scripts)
            continue
        data = _read(path)
        if data is None:
            continue
        if path == found.record / "RECORD":
            data = _BESIDE_IN_RECORD.sub(b"", data)
        yield place, _mode(path), memoryview(data)
        if compiled and place.endswith(".py"):
            yield from _bytecode(place, path, data)


def _ordinary(found: Distribution) -> bool:
    """Tell an installation of Python's from one into a folder, which has all in one place."""
    return found.folder.name in ("site-packages", "dist-packages")


def noted(groups: Iterable[list[Chunk]], names: set[str]) -> Iterator[list[Chunk]]:
    """Yield files, and add their names to `names`."""
    for group in groups:
        names.update(chunk.name for chunk in group)
        yield group


def uncompiled(found: Distribution, folder: Path, sent: Container[str]) -> list[Source]:
    """Return the modules whose bytecode was not `sent`, and where to put it below `folder`.

    There may be some by now: whoever imports a module here leaves it.
    """
    return [
        Source(found.folder / name, folder / cached_name(name))
        for name in sorted(set(map(posixpath.normpath, found.files)))
        if name.endswith(".py") and not name.startswith("../") and not late(name)
        if cached_name(name) not in sent
    ]


def bytecode(sources: Sequence[Source], folder: Path) -> Iterator[list[Chunk]]:
    """Yield the bytecode that was made of modules in what fits a piece."""
    made = ((target, _read(target)) for _, target in sources)
    return cut(
        (target.relative_to(folder).as_posix(), 0o644, memoryview(data))
        for target, data in made
        if data is not None
    )


def linked(found: Distribution) -> bool:
    """Tell whether a distribution has shared libraries that another may load unasked."""
    return any(map(_LIBRARY.fullmatch, found.files))


def cached_name(place: str) -> str:
    """Return where the bytecode of a module goes."""
    return importlib.util.cache_from_source(place)


def _skipped(found: Distribution, place: str) -> bool:
    folder, _, name = place.rpartition("/")
    return folder == found.record.name and name in _SKIPPED


def _beside(path: Path, name: str, scripts: Container[str]) -> Iterator[File]:
    """Yield what is no module: data, and programs, unless these are made anew from their names."""
    match = _BESIDE.fullmatch(name)
    place = match[1] if match is not None else name
    program = place.startswith(_PROGRAMS)
    if place.startswith("../") or (program and place.removeprefix(_PROGRAMS) in scripts):
        return
    data = _read(Path(os.path.normpath(path)))
    if data is None:
        return
    if program:
        data = re.sub(rb"\A#!.*python[^\n]*\n", lambda _: _SHEBANG, data)
    yield place, 0o755 if program else 0o644, memoryview(data)


def _scripts(found: Distribution) -> Iterator[tuple[str, str]]:
    """Yield the programs that a distribution's entry points name, with their text."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # names as they are
    try:
        parser.read_string((found.record / "entry_points.txt").read_text("utf-8"))
    except (OSError, configparser.Error):
        return
    if parser.has_section("console_scripts"):
        for name, value in parser.items("console_scripts"):
            text = _script(value)
            if "/" not in name and text:
                yield name, text


def _script(value: str) -> str:
    module, _, call = value.partition("[")[0].strip().partition(":")
    first = call.strip().partition(".")[0]
    return _SCRIPT.format(module=module.strip(), first=first, call=call.strip()) if call else ""


def _launcher(name: str, text: str) -> File:
    return f"bin/{name}", 0o755, memoryview(_SHEBANG + text.encode())


def program(name: str, value: str) -> Iterator[File]:
    """Yield the program that an entry point names, as ``module:call``, if it is one."""
    text = _script(value)
    if text and "/" not in name:
        yield _launcher(name, text)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    # Removed by hand, or a folder: what is not there does not run here either.
    except OSError:
        return None


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644


def _bytecode(place: str, path: Path, source: bytes) -> Iterator[File]:
    cached = Path(importlib.util.cache_from_source(str(path)))
    data = _read(cached)
    if data is None or not _belongs(data, path, source):
        return
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    yield cached_name(place), 0o644, memoryview(head + data[_HEAD:])


def _belongs(data: bytes, path: Path, source: bytes) -> bool:
    """Tell whether bytecode is that of a source, as Python itself does."""
    if data[:_MAGIC] != importlib.util.MAGIC_NUMBER or len(data) < _HEAD:
        return False
    flags = int.from_bytes(data[_MAGIC:_FLAGS], "little")
    if flags & 1:
        return data[_FLAGS:_HEAD] == importlib.util.source_hash(source)
    facts = path.stat()
    numbers = (int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size & 0xFFFFFFFF)
    return data[_FLAGS:_HEAD] == b"".join(number.to_bytes(4, "little") for number in numbers)
