"""Libraries on their way: the files of one distribution as a layer, cut into pieces.

A piece is fetched, checked and unpacked by itself, so that large distributions use several
connections and cores, and never much memory. It holds files, or a part of a large one::

    NBL2 | length of the head, 4 bytes | head: JSON, zlib | body: the bytes of its files, deflated

Its name is the SHA-256 of all of that: it is sent once, shared by every job that needs it, and
nothing but what was sealed is unpacked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import zlib
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

#: Bytes of files in one piece, about.
PIECE = 8 << 20
_MAGIC = b"NBL2"
#: Files for tests, and for compilers.
_TESTS = frozenset({"test", "tests"})
_COMPILED = (".a", ".c", ".cpp", ".f", ".f90", ".lib", ".pxd", ".pxi", ".pyx")
#: Those in other folders are for a library that is a compiler itself: it opens them unheard.
_HEADERS, _INCLUDED = (".h", ".hpp"), "include"
_HEAD = len(_MAGIC) + 4
#: Faster than any other, for a few percent more bytes.
_LEVEL = 1
#: Without zlib's own sum: the piece is hashed as a whole.
_RAW = -zlib.MAX_WBITS


class Chunk(NamedTuple):
    """A file, or a part of it: its name in the layer, mode, place in the file, and bytes.

    The mode of a symbolic link says so, as `os.lstat` does; its bytes are where it points.
    """

    name: str
    mode: int
    offset: int
    data: "memoryview"


class Piece(NamedTuple):
    """One object of a layer: its digest, how large it is packed, and whether it may come late."""

    digest: str
    size: int
    late: bool = False


@dataclass(frozen=True)
class Layer:
    """One distribution as it travels.

    Attributes
    ----------
    name, version
        Of the distribution, the name normalised.
    pieces
        All that there is to fetch.
    modules
        The names under which it is imported, top level.
    requires
        The names of the distributions that it requires.
    linked
        Whether it has shared libraries, which what requires it may load without an import.
    """

    name: str
    version: str
    pieces: Tuple[Piece, ...]
    modules: Tuple[str, ...] = ()
    requires: Tuple[str, ...] = ()
    linked: bool = False

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(piece.size for piece in self.pieces)

    @property
    def digest(self) -> str:
        """What no other layer is called."""
        text = "".join(piece.digest for piece in self.pieces)
        return hashlib.sha256(text.encode()).hexdigest()

    def meta(self) -> List[Any]:
        """Return it as JSON values."""
        pieces = [list(piece) for piece in self.pieces]
        names = list(self.modules), list(self.requires)
        return [self.name, self.version, pieces, *names, self.linked]

    @classmethod
    def from_meta(cls, meta: Sequence[Any]) -> "Layer":
        """Read what `meta` wrote."""
        name, version, pieces, modules, requires, *rest = meta
        found = tuple(Piece(*piece) for piece in pieces)
        return cls(name, version, found, tuple(modules), tuple(requires), *rest)


@dataclass(frozen=True)
class Libraries:
    """What a job is told of its libraries.

    Attributes
    ----------
    layers
        What it is to fetch.
    python, machine, libc
        What the layers with compiled code are for; empty where all are plain Python.
    expects
        Name to version of what the image is taken to have, because it had it before.
    report
        Whether the job is to tell what the image has.
    prefix
        What is to be fetched of an interpreter that takes the place of the image's.
    program
        Where that is below its prefix, as ``bin/python3.11``.
    """

    layers: Tuple[Layer, ...] = ()
    python: str = ""
    machine: str = ""
    libc: str = ""
    expects: Mapping[str, str] = field(default_factory=dict)
    report: bool = False
    prefix: Tuple[Layer, ...] = ()
    program: str = ""

    def meta(self) -> Dict[str, Any]:
        """Return it as JSON values; empty where there is nothing to say."""
        if not (self.layers or self.expects or self.report or self.prefix):
            return {}
        layers = [layer.meta() for layer in self.layers]
        rest: Dict[str, Any] = {"python": self.python, "machine": self.machine, "libc": self.libc}
        if self.prefix:
            prefix = [layer.meta() for layer in self.prefix]
            rest = {**rest, "prefix": prefix, "program": self.program}
        return {"layers": layers, **rest, "expects": dict(self.expects), "report": self.report}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Libraries":
        """Read what `meta` wrote."""
        layers = tuple(map(Layer.from_meta, meta.get("layers", ())))
        prefix = tuple(map(Layer.from_meta, meta.get("prefix", ())))
        names = ("python", "machine", "libc", "expects", "report", "program")
        return cls(layers, prefix=prefix, **{name: meta[name] for name in names if name in meta})


def key(digest: str) -> str:
    """Return where a piece lies in the store."""
    return f"layers/{digest}"


def late(name: str) -> bool:
    """Tell whether a file is for those who work on a library: hardly any job asks for it."""
    folders = name.split("/")[:-1]
    if name.endswith(_HEADERS) and _INCLUDED in folders:
        return True
    return name.endswith(_COMPILED) or not _TESTS.isdisjoint(folders)


def cut(files: Iterable[Tuple[str, int, "memoryview"]]) -> Iterator[List[Chunk]]:
    """Cut files, given as (name, mode, bytes), into what fits a piece; in their order."""
    group: List[Chunk] = []
    room = PIECE
    for name, mode, data in files:
        offset = 0
        # Where a link points is never cut.
        if stat.S_ISLNK(mode) and data.nbytes > room:
            yield group
            group, room = [], PIECE
        while True:
            part = data[offset : offset + room]
            group.append(Chunk(name, mode, offset, part))
            offset, room = offset + part.nbytes, room - part.nbytes
            if room > 0:
                break
            yield group
            group, room = [], PIECE
            if offset >= data.nbytes:
                break
    if group:
        yield group


def pack(chunks: Sequence[Chunk]) -> Tuple[Piece, bytes]:
    """Pack a piece, whose files are all `late` or none is; equal chunks give equal bytes."""
    head = [[c.name, c.mode, c.offset, c.data.nbytes] for c in chunks]
    text = zlib.compress(json.dumps(head, separators=(",", ":")).encode(), 6)
    writer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    body = [writer.compress(chunk.data) for chunk in chunks]
    data = b"".join([_MAGIC, len(text).to_bytes(4, "big"), text, *body, writer.flush()])
    return Piece(hashlib.sha256(data).hexdigest(), len(data), late(chunks[0].name)), data


def check(data: "bytes | memoryview", piece: Piece) -> None:
    """Refuse bytes that are not the piece's.

    Raises
    ------
    ValueError
        They are others.
    """
    if hashlib.sha256(data).hexdigest() != piece.digest:
        raise ValueError(f"{key(piece.digest)} is not what was sealed")


def unpack(data: "bytes | memoryview", folder: str) -> None:
    """Write the files of a checked piece below `folder`; pieces may come in any order.

    Raises
    ------
    ValueError
        It is no piece, or names a place outside `folder`.
    """
    view = memoryview(data)
    end = _HEAD + int.from_bytes(view[len(_MAGIC) : _HEAD], "big")
    if bytes(view[: len(_MAGIC)]) != _MAGIC:
        raise ValueError("this is no piece of a layer")
    head = json.loads(zlib.decompress(view[_HEAD:end]))
    # Told its size, zlib makes room once and copies nothing.
    room = max(1, sum(size for _, _, _, size in head))
    body = memoryview(zlib.decompress(view[end:], _RAW, room))
    at, known = 0, set()
    for name, mode, offset, size in head:
        place = os.path.join(folder, *_plain(name))
        parent = os.path.dirname(place)
        if parent not in known:
            os.makedirs(parent, exist_ok=True)
            known.add(parent)
        _write(place, mode, offset, body[at : at + size])
        at += size


def _plain(name: str) -> List[str]:
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts):
        raise ValueError(f"refused a layer: {name!r} is not a plain name of a file")
    return parts


def _write(place: str, mode: int, offset: int, data: "memoryview") -> None:
    if stat.S_ISLNK(mode):
        _point(place, str(data, "utf-8"))
        return
    file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, stat.S_IMODE(mode))
    try:
        while data:
            done = os.pwrite(file, data, offset)
            data, offset = data[done:], offset + done
    finally:
        os.close(file)


def _point(place: str, target: str) -> None:
    # Another layer may have it too.
    with contextlib.suppress(FileExistsError):
        os.symlink(target, place)
