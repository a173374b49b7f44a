"""Source files on their way: packed into one deterministic archive, and safely out of it.

The archive is a tar file compressed by zlib. Equal files give equal bytes wherever and whenever
they are packed, so that their content address stays the same.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def pack_files(files: Iterable[tuple[str, str]]) -> bytes:
    """Pack files, given as (name in the archive, path), in the order of their names.

    Of a file its name, content and whether it may be executed are kept.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in sorted(files):
            with Path(path).open("rb") as source:
                archive.addfile(_header(name, source.fileno()), source)
    return zlib.compress(buffer.getbuffer(), 6)


def _header(name: str, descriptor: int) -> tarfile.TarInfo:
    facts = os.fstat(descriptor)
    header = tarfile.TarInfo(name)
    header.size = facts.st_size
    header.mode = 0o755 if facts.st_mode & 0o100 else 0o644
    return header


def unpack(data: bytes, directory: str) -> None:
    """Write the files of a packed archive under `directory`, which need not exist.

    Raises
    ------
    ValueError
        The archive is damaged, or holds something else than files with plain relative names.
        Nothing is written outside `directory`, and no file that exists is touched.
    """
    try:
        raw = zlib.decompress(data)
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            members = archive.getmembers()
            for member in members:
                _refuse_unsafe(member)
            for member in members:
                _write(archive, member, directory)
    except (zlib.error, tarfile.TarError, FileExistsError) as error:
        raise ValueError(f"damaged archive of source files: {error}") from error


def _refuse_unsafe(member: tarfile.TarInfo) -> None:
    name = member.name
    # On Windows a backslash separates and a drive leads away.
    plain = os.path.normpath(name).replace(os.sep, "/") == name
    outside = name.split("/")[0] in ("", ".", "..") or Path(name).anchor
    if not member.isreg() or not plain or outside:
        raise ValueError(f"refused an archive of source files: {name!r} is not a plain file")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, directory: str) -> None:
    path = Path(directory, member.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    source = archive.extractfile(member)
    with path.open("xb") as target:
        if source is not None:
            shutil.copyfileobj(source, target)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)
