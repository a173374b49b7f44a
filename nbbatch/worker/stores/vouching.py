"""The store on a directory, where the filesystem tells whether a file was touched.

A file's inode number and the time of its last change (``st_ctime``) name its content: any write,
truncation, replacement, copy, change of mode or link gives another time or another inode, and
no system call sets that time. So a reader that finds the very pair that the writer saw, on the
same filesystem, has the very bytes, without having read them.

Three things must hold for that, and are seen to:

- The time is the kernel's clock at its last tick, so that a second write within one tick could
  go unnoticed. Nothing is sealed before that clock has gone past the times seen (`settle`).
- The writer asks its own open file, not a name: nobody can put another file in between. Until it
  is published it is readable and writable by its owner alone, afterwards readable alone.
- The filesystem is the kernel's own. Network filesystems, FUSE and those with coarse times may
  tell what they like: there nothing is vouched for, and digests are used instead.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import stat
import sys
import time
from typing import TYPE_CHECKING, List, Optional, Tuple

from nbbatch.wire import digest
from nbbatch.wire.store import Buffer, Kept
from nbbatch.worker.stores.directory import DirectoryStore, write_all
from nbbatch.worker.stores.pieces import as_views, young

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILESYSTEMS = frozenset(
    {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs"}
)
_MOUNTS = "/proc/self/mountinfo"
#: Linux's CLOCK_REALTIME_COARSE, which gives files their times; Python has no name for it.
_TICKING = 5
#: Seconds that it may take to tick, with a wide margin: it does so 100 to 1000 times a second.
_TICK = 0.1
#: A filesystem whose times are multiples of this many nanoseconds has none finer.
_COARSE = 1_000_000
#: Objects that are compared with what is to be kept, the newest first.
_CANDIDATES = 4
#: What the system says of a link, or of a folder that is none.
_NO_FILE = frozenset({errno.ELOOP, errno.ENOENT, errno.ENOTDIR})
#: Bytes compared at once: they stay in the processor's cache.
_BLOCK = 128 << 10


class VouchingDirectory(DirectoryStore):
    """Objects as files below one directory, some of them never to be changed; see the module."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._newest = 0
        self._trust: Optional[bool] = None

    def keep(self, folder: str, data: Buffer) -> Optional[Kept]:
        """Have an object with these bytes; see `nbbatch.wire.store.VouchingStore.keep`."""
        views = as_views([data])
        if not views or not self._trusted():
            return None
        for key in self._candidates(folder):
            voucher = self._same(key, views[0])
            if voucher:
                return Kept(key, voucher, new=False)
        key = f"{folder}/{os.urandom(8).hex()}"
        with self._pending() as file:
            write_all(file.fileno(), views)
            os.fchmod(file.fileno(), 0o400)
            # Publishing changes the time once more, so it comes first.
            self._replace(file.name, self._path(key))
            voucher = self._voucher(file.fileno())
        if not voucher:
            self.delete([key])
        return Kept(key, voucher, new=True) if voucher else None

    def settle(self) -> None:
        """Wait for the next tick; see `nbbatch.wire.store.VouchingStore.settle`."""
        # Not for ever: a clock that was set back will not show a time of the future twice.
        until = time.monotonic() + _TICK
        while time.clock_gettime_ns(_TICKING) <= self._newest and time.monotonic() < until:
            time.sleep(0.0005)

    def take(self, key: str, voucher: str, view: memoryview) -> bool:
        """Fill `view`; see `nbbatch.wire.store.VouchingStore.take`."""
        with self._opened(key) as file:

            def fill(piece: slice) -> bytes:
                _read(file, piece.start, view[piece])
                return b""

            if not self._is(file, voucher, view.nbytes):
                return False
            digest.in_threads(fill, digest.chunks(view.nbytes))
            # What was altered meanwhile shows now.
            return self._is(file, voucher, view.nbytes)

    def lend(self, key: str, voucher: str, size: int) -> Optional[memoryview]:
        """Map the file privately; see `nbbatch.wire.store.VouchingStore.lend`."""
        with self._opened(key) as file:
            if not self._is(file, voucher, size):
                return None
            access = mmap.PROT_READ | mmap.PROT_WRITE
            return memoryview(mmap.mmap(file, size, flags=mmap.MAP_PRIVATE, prot=access))

    def holds(self, key: str, voucher: str, data: Buffer) -> bool:
        """Compare, with no copy; see `nbbatch.wire.store.VouchingStore.holds`."""
        views = as_views([data])
        with contextlib.suppress(FileNotFoundError), self._opened(key) as file:
            size = sum(view.nbytes for view in views)
            return self._is(file, voucher, size) and all(_equal(file, view) for view in views)
        return False

    def _candidates(self, folder: str) -> List[str]:
        found: List[Tuple[int, str]] = []
        gone = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with gone, os.scandir(self._path(folder)) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    written = entry.stat(follow_symlinks=False).st_mtime_ns
                    if young(written / 1e9):
                        found.append((written, entry.name))
        return [f"{folder}/{name}" for _, name in sorted(found, reverse=True)[:_CANDIDATES]]

    def _same(self, key: str, view: memoryview) -> str:
        """Return the voucher of an object that has these bytes; empty where it has others."""
        with contextlib.suppress(FileNotFoundError), self._opened(key) as file:
            voucher = self._voucher(file)
            # Only now is it looked at: what is written from here on gives it a later time.
            self.settle()
            same = self._is(file, voucher, view.nbytes) and _equal(file, view)
            return voucher if same and self._is(file, voucher, view.nbytes) else ""
        return ""

    def _voucher(self, file: int) -> str:
        """Return what a file is called from the next tick on; empty where its times are coarse."""
        facts = os.fstat(file)
        self._newest = max(self._newest, facts.st_ctime_ns)
        return _name(facts) if facts.st_ctime_ns % _COARSE else ""

    def _is(self, file: int, voucher: str, size: int) -> bool:
        facts = os.fstat(file)
        return (
            stat.S_ISREG(facts.st_mode)
            and (_name(facts), facts.st_size) == (voucher, size)
            # Inode numbers mean something within one filesystem only.
            and facts.st_dev == os.stat(self.root).st_dev
            and self._trusted()
        )

    @contextlib.contextmanager
    def _opened(self, key: str) -> Iterator[int]:
        """Open an object's file, and nothing else that may be in its place."""
        try:
            # Not to be kept waiting by a pipe.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.open(self._path(key), flags)
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            raise FileNotFoundError(errno.ENOENT, "no such object", key) from error
        try:
            yield file
        finally:
            os.close(file)

    def _trusted(self) -> bool:
        if self._trust is None:
            self._trust = trusted(self.root)
        return self._trust


def trusted(root: str) -> bool:
    """Tell whether the filesystem of a directory is one whose times tell of every change."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        time.clock_gettime_ns(_TICKING)
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            kind = filesystem(file.read(), os.path.realpath(root))
    except OSError:
        return False
    return kind in _FILESYSTEMS


def filesystem(mounts: str, path: str) -> str:
    """Return the kind of filesystem that `path` is on: proc_pid_mountinfo(5)."""
    longest, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        # A space, tab, line feed or backslash in a path is written as three octal digits.
        place = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), before.split(" ")[4])
        point = place.rstrip("/")
        # Of several on one place the last one is seen.
        if len(point) >= longest and f"{path}/".startswith(f"{point}/"):
            longest, kind = len(point), after.split(" ")[0]
    return kind


def _name(facts: os.stat_result) -> str:
    return f"{facts.st_ino}-{facts.st_ctime_ns}"


def _read(file: int, offset: int, view: memoryview) -> int:
    done = 0
    while done < view.nbytes:
        count = os.preadv(file, [view[done:]], offset + done)
        if not count:
            break
        done += count
    return done


def _equal(file: int, view: memoryview) -> bool:
    """Tell whether a file of the same size has the bytes of `view`."""
    block = bytearray(_BLOCK)
    for start in range(0, view.nbytes, _BLOCK):
        part = view[start : start + _BLOCK]
        if part.nbytes < _BLOCK:
            block = bytearray(part.nbytes)
        # Not two views: those are compared item by item.
        if _read(file, start, memoryview(block)) != part.nbytes or block != part:
            return False
    return True
