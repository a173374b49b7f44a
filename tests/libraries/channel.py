"""A channel of conda's, with packages of the tests' own: in a folder, and served from there."""

from __future__ import annotations

import bz2
import functools
import hashlib
import io
import json
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

SUBDIR = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}.get(os.uname().machine, "linux-64")
#: Where the packages were built, as long as conda makes it.
BUILT = "/opt/built/" + "placehold_" * 24
#: The largest block of a frame.
_BLOCK = 128 << 10


class Made(NamedTuple):
    """What a package is made of; `noarch` is ``python`` for plain Python."""

    name: str
    version: str = "1.0"
    files: Mapping[str, bytes | Path] = {}
    links: Mapping[str, str] = {}
    depends: Sequence[str] = ()
    noarch: str = ""
    #: The files that name where they were built, each ``text`` or ``binary``.
    placed: Mapping[str, str] = {}
    entry_points: Sequence[str] = ()
    #: Whether it is of the newer kind, as channels have them today.
    new: bool = False

    @property
    def subdir(self) -> str:
        """For which platform it is."""
        return "noarch" if self.noarch else SUBDIR

    @property
    def file(self) -> str:
        """The name of its archive."""
        return f"{self.name}-{self.version}-0.{'conda' if self.new else 'tar.bz2'}"

    def index(self) -> dict[str, Any]:
        """Return what a channel says of it."""
        said = {"name": self.name, "version": self.version, "build": "0", "build_number": 0}
        said |= {"depends": list(self.depends), "subdir": self.subdir, "timestamp": 1700000000000}
        return {**said, "noarch": self.noarch} if self.noarch else said

    def info(self) -> dict[str, bytes]:
        """Return the files in which it describes itself."""
        paths = [{"_path": name, "path_type": "softlink"} for name in self.links]
        for name in self.files:
            entry = {"_path": name, "path_type": "hardlink"}
            if name in self.placed:
                entry |= {"prefix_placeholder": BUILT, "file_mode": self.placed[name]}
            paths.append(entry)
        found: dict[str, Any] = {"index": self.index(), "about": {}}
        found["paths"] = {"paths": paths, "paths_version": 1}
        if self.noarch == "python":
            entries = {"type": "python", "entry_points": list(self.entry_points)}
            found["link"] = {"noarch": entries, "package_metadata_version": 1}
        return {f"info/{name}.json": json.dumps(said).encode() for name, said in found.items()}


def write(folder: Path, packages: Sequence[Made]) -> None:
    """Write a channel that has these packages and no others."""
    told: dict[str, dict[str, Any]] = {"noarch": {}, SUBDIR: {}}
    for subdir in told:
        (folder / subdir).mkdir(parents=True, exist_ok=True)
    for made in packages:
        path = folder / made.subdir / made.file
        if not path.exists():
            _archive(made, path)
        data = path.read_bytes()
        sums = {"md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest()}
        told[made.subdir][made.file] = {**made.index(), **sums, "size": len(data)}
    for subdir, found in told.items():
        old = {name: said for name, said in found.items() if not name.endswith(".conda")}
        new = {name: said for name, said in found.items() if name not in old}
        listed = {"info": {"subdir": subdir}, "packages": old, "packages.conda": new}
        (folder / subdir / "repodata.json").write_text(json.dumps(listed))


def _archive(made: Made, path: Path) -> None:
    """https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/packages.html."""
    if not made.new:
        path.write_bytes(bz2.compress(_tar({**made.info(), **made.files}, made.links), 1))
        return
    whole = f"{made.name}-{made.version}-0"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
        archive.writestr(f"pkg-{whole}.tar.zst", zstandard(_tar(made.files, made.links)))
        archive.writestr(f"info-{whole}.tar.zst", zstandard(_tar(made.info(), {})))


def zstandard(data: bytes) -> bytes:
    """Return a frame of Zstandard that holds data as it is: RFC 8878, raw blocks."""
    pieces = [data[i : i + _BLOCK] for i in range(0, len(data), _BLOCK)] or [b""]
    heads = [(len(piece) << 3 | (piece is pieces[-1])).to_bytes(3, "little") for piece in pieces]
    # No checksum, one segment, and the size of the content in eight bytes.
    head = b"\x28\xb5\x2f\xfd\xe0" + len(data).to_bytes(8, "little")
    return head + b"".join(map(bytes.__add__, heads, pieces))


def _tar(files: Mapping[str, bytes | Path], links: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1700000000
            member.mode = 0o755 if name.startswith(("bin/", "python-scripts/")) else 0o644
            archive.addfile(member, io.BytesIO(data))
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return buffer.getvalue()


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a channel on this machine; yield its address, and what it is asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            asked.append(str(args[0]))

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
