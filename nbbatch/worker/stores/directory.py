"""The store on a directory: what the local backend and its jobs share."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

from nbbatch.worker.stores.names import check_key
from nbbatch.worker.stores.pieces import as_views, young

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from io import FileIO

    from nbbatch.wire.store import Buffer

#: Unfinished objects lie here, on the same filesystem as the finished ones.
_PENDING = ".tmp"
_PIECE = 16 << 20
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


class DirectoryStore:
    """Objects as files below one directory, readable by their owner only.

    Parameters
    ----------
    root
        The directory; made with the first write.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.url = "file://" + quote(self.root)

    def put(self, key: str, pieces: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `nbbatch.wire.store.Store.put`."""
        path = self._path(key)
        if if_absent and os.path.exists(path):
            return False
        with self._pending() as file:
            write_all(file.fileno(), as_views(pieces))
            # Here, not later: some filesystems report a full disk only now.
            file.close()
            publish = self._link if if_absent else self._replace
            return publish(file.name, path)

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""
        try:
            with open(self._path(key), "rb", buffering=0) as file:
                return file.read()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none."""
        path = self._path(key)
        try:
            return None if os.path.isdir(path) else os.stat(path).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def reliable(self, key: str, size: int) -> bool:
        """Tell whether an object need not be sent; see `nbbatch.wire.store.Store.reliable`."""
        try:
            facts = os.stat(self._path(key))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return facts.st_size == size and young(facts.st_mtime)

    def read_into(self, key: str, offset: int, view: memoryview) -> None:
        """Fill `view` from `offset` on; see `nbbatch.wire.store.Store.read_into`."""
        view = view.cast("B") if view.nbytes else memoryview(b"")
        done = 0
        with open(self._path(key), "rb", buffering=0) as file:
            if offset > os.fstat(file.fileno()).st_size:
                raise _too_short(key)
            file.seek(offset)
            while done < view.nbytes:
                count = file.readinto(view[done:])
                if not count:
                    raise _too_short(key)
                done += count

    def list(self, prefix: str = "") -> Iterator[tuple[str, int, float]]:
        """Yield key, size and time of last change of what starts with `prefix`, by key."""
        folder = prefix.rpartition("/")[0]
        if ".." in folder.split("/") or prefix.startswith("/"):
            raise ValueError(f"not a prefix inside the store: {prefix!r}")
        for key, entry in _walk(self.root, folder):
            if not key.startswith(prefix) or key.startswith(_PENDING + "/"):
                continue
            with contextlib.suppress(FileNotFoundError):
                facts = entry.stat()
                yield key, facts.st_size, facts.st_mtime

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, and the folders that this leaves empty; missing ones are no error."""
        for key in keys:
            path = self._path(key)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path)
                self._prune(os.path.dirname(path))

    def _path(self, key: str) -> str:
        if check_key(key).split("/")[0] == _PENDING:
            raise ValueError(f"a reserved key: {key!r}")
        return os.path.join(self.root, *key.split("/"))

    def _prune(self, folder: str) -> None:
        with contextlib.suppress(OSError):
            while len(folder) > len(self.root):
                os.rmdir(folder)
                folder = os.path.dirname(folder)

    @contextlib.contextmanager
    def _pending(self) -> Iterator[FileIO]:
        """Make a file to be written and published; nothing stays of it if it is not."""
        folder = os.path.join(self.root, _PENDING)
        path = os.path.join(folder, os.urandom(12).hex())
        _make_folder(folder)
        try:
            with open(path, "xb", buffering=0, opener=_open_private) as file:
                yield file
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _replace(self, pending: str, path: str) -> bool:
        _in_folder(os.replace, pending, path)
        return True

    def _link(self, pending: str, path: str) -> bool:
        try:
            _in_folder(os.link, pending, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._replace_locked(pending, path)
        return True

    def _replace_locked(self, pending: str, path: str) -> bool:
        """Publish if absent, on a filesystem without hard links: writers take turns."""
        import fcntl  # not everywhere, and seldom needed

        # A lock held by a process, not a file that a killed process would leave behind.
        with open(os.path.join(self.root, _PENDING, "lock"), "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return not os.path.exists(path) and self._replace(pending, path)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def write_all(file: int, views: Sequence[memoryview]) -> None:
    """Write views one after the other from a file's start."""
    # By one thread: the kernel lets nobody else write to the file meanwhile.
    for view in views:
        done = 0
        while done < view.nbytes:
            # Interruptible: in pieces.
            done += os.write(file, view[done : done + _PIECE])


def _in_folder(publish: Callable[[str, str], None], pending: str, path: str) -> None:
    """Make the folder, then publish; once more if a `delete` pruned it in between."""
    for _ in range(100):
        _make_folder(os.path.dirname(path))
        with contextlib.suppress(FileNotFoundError):
            publish(pending, path)
            return
    raise FileNotFoundError(errno.ENOENT, "the folder vanishes as it is made", path)


def _make_folder(path: str) -> None:
    # os.makedirs would give the folders in between the default mode.
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        # Gone again is no error: a `delete` has pruned it, and the caller tries once more.
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(os.stat(path).st_mode):
                raise
    except FileNotFoundError:
        _make_folder(os.path.dirname(path))
        _make_folder(path)


def _walk(root: str, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(os.path.join(root, folder)) as found:
            # In the order of whole keys, as S3 lists them.
            entries = sorted(found, key=lambda e: e.name + "/" if e.is_dir() else e.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        key = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_dir():
            yield from _walk(root, key)
        else:
            yield key, entry


def _too_short(key: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "the object ends too early", key)
