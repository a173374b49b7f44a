"""Files and folders as parts, and back: what a job keeps of its disk.

A large file is a part that is mapped, not read: a checkpoint of many gigabytes takes no memory,
and a file that is as it was is not written again.
"""

from __future__ import annotations

import mmap
import os
from typing import Iterator, Tuple

from nbbatch.errors import UsageError
from nbbatch.wire.checkpoints import FILES, Content
from nbbatch.wire.parts import BLOB
from nbbatch.wire.store import Buffer


def pack(path: str, name: str) -> Content:
    """Take a file, or all files of a folder with their names in it and their modes.

    Raises
    ------
    UsageError
        There is no such file or folder.
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        raise UsageError(
            f"checkpoint {name} was not saved",
            f"there is no file or folder {path}",
            "save it once it has been written",
        )
    found = [("", path)] if os.path.isfile(path) else list(_files(path))
    said = [[inside, os.stat(file).st_mode & 0o777] for inside, file in found]
    return Content(FILES, said, [_content(file) for _, file in found])


def unpack(content: Content, path: str, name: str) -> None:
    """Write the files where `path` says; each appears whole, others there stay as they are.

    Raises
    ------
    UsageError
        It holds a value and no files.
    """
    if content.kind != FILES:
        raise UsageError(
            f"checkpoint {name} has no files",
            "it was saved with save",
            f'current.checkpoint.load("{name}")',
        )
    path = os.fspath(path)
    for (inside, mode), data in zip(content.said, content.buffers):
        target = os.path.join(path, *inside.split("/")) if inside else path
        os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
        pending = f"{target}.{os.urandom(4).hex()}"
        try:
            with open(pending, "xb") as file:
                file.write(data)
            os.chmod(pending, mode)
            os.replace(pending, target)
        finally:
            if os.path.exists(pending):
                os.unlink(pending)


def _files(folder: str) -> Iterator[Tuple[str, str]]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            # No sockets and pipes; a link counts as what it leads to.
            if os.path.isfile(path):
                yield os.path.relpath(path, folder).replace(os.sep, "/"), path


def _content(path: str) -> Buffer:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < BLOB:
            return file.read()
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
