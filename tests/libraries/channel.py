"""A channel of conda's, with packages of the tests' own: in a folder, and served from there."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

SUBDIR = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}.get(os.uname().machine, "linux-64")
#: Where the packages were built, as long as conda makes it.
BUILT = "/opt/built/" + "placehold_" * 24


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

    @property
    def subdir(self) -> str:
        """For which platform it is."""
        return "noarch" if self.noarch else SUBDIR

    @property
    def file(self) -> str:
        """The name of its archive."""
        return f"{self.name}-{self.version}-0.tar.bz2"

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
        listed = {"info": {"subdir": subdir}, "packages": found, "packages.conda": {}}
        (folder / subdir / "repodata.json").write_text(json.dumps(listed))


def _archive(made: Made, path: Path) -> None:
    with tarfile.open(path, "w:bz2", compresslevel=1) as archive:
        for name, content in {**made.info(), **made.files}.items():
            data = content if isinstance(content, bytes) else content.read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1700000000
            member.mode = 0o755 if name.startswith(("bin/", "python-scripts/")) else 0o644
            archive.addfile(member, io.BytesIO(data))
        for name, target in made.links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)


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
