"""The worker's zip, unpacked once per content, so that its bytecode is cached between jobs."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

from nbbatch.backends.base import ClientStore
from nbbatch.errors import BackendError, NotFoundError
from nbbatch.wire import keys

#: The file that is run: where the folder is filled, it comes last.
_LAST = "__main__.py"


def unpacked(home: Path, store: ClientStore, sha256: str) -> Path:
    """Return the folder that holds a worker.

    Raises
    ------
    BackendError
        The store does not have it, or what it has is something else.
    """
    place = home / "worker" / sha256
    if not _is_whole(place):
        _unpack(_fetch(store, sha256), place)
    return place


def _is_whole(place: Path) -> bool:
    return (place / _LAST).exists()


def _fetch(store: ClientStore, sha256: str) -> bytes:
    import hashlib

    key = keys.worker(sha256)
    data = store.get(key)
    if data is None:
        raise NotFoundError(
            "the job was not started",
            f"its worker is not in the store: {store.url}/{key}",
            "restart the kernel and run the cell again: it is stored anew then",
        )
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BackendError(
            "the job was not started",
            f"its worker was altered: {store.url}/{key}",
            "remove that object and restart the kernel",
        )
    return data


def _unpack(data: bytes, place: Path) -> None:
    import io
    import zipfile

    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pending = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
    try:
        zipfile.ZipFile(io.BytesIO(data)).extractall(pending)
        _put(pending, place)
    finally:
        shutil.rmtree(pending, ignore_errors=True)


def _put(pending: Path, place: Path) -> None:
    try:
        pending.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        # Another kernel was faster, unless whatever tidies up old files has left a part of it.
        if not _is_whole(place):
            _fill(pending, place)


def _fill(pending: Path, place: Path) -> None:
    """Put files where they are missing; jobs may run by now from those that are there."""
    files = (path for path in pending.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path == pending / _LAST):
        target = place / path.relative_to(pending)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
