"""Libraries that stay on the host, for its next jobs.

==================  =============================================================
``layers/<digest>`` one distribution, unpacked
``sites/<digest>``  what a job has on its path, or the prefix of its interpreter: several of
                    these, as one tree of hard links
==================  =============================================================

Whatever is under its name is complete: it was made elsewhere and renamed. A job holds a shared
lock on its site for as long as it runs; what nobody holds, and many have been used since, goes,
while no job puts a site together: it may be about to use a layer of none of the others.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from nbbatch import errors
from nbbatch.wire.layers import Layer

#: Sites that are kept; the layers of none of them go too.
_KEPT = 24
_LOCK = ".lock"
_LIST = ".layers"
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
#: How a folder says that nothing can be kept in it.
_CLOSED = (errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS)

Fetch = Callable[[List[Tuple[Layer, str]]], None]
#: Makes a tree that was put together fit for the place where it will be.
Settle = Callable[[str, str], None]


class Shelf:
    """Layers and sites in one folder of this user's.

    Parameters
    ----------
    root
        The folder, made where there is none.

    Raises
    ------
    ImageError
        Others may write to it: they could run code in the job. Or the job may not.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        with self._open():
            for name in ("layers", "sites"):
                os.makedirs(os.path.join(root, name), mode=0o700, exist_ok=True)
        facts = os.stat(root)
        if facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o022:
            raise errors.ImageError(
                f"{root} can't hold libraries",
                "others than the job's own user may write to it, and so into the job",
                "chmod 700 it, or leave NBBATCH_LIBRARIES unset",
            )

    def site(self, wanted: Sequence[Layer], fetch: Fetch, settle: Optional[Settle] = None) -> str:
        """Return the tree of `wanted`, held for this process and those that it forks.

        Parameters
        ----------
        fetch
            Fetches layers into folders.
        settle
            Changes files of the tree, which are shared with others: it writes new ones.

        Raises
        ------
        ImageError
            There is no room for it.
        """
        digests = [*sorted(layer.digest for layer in wanted), "settled" if settle else ""]
        name = hashlib.sha256("".join(digests).encode()).hexdigest()
        place = os.path.join(self._root, "sites", name)
        with self._open(), self._locked(fcntl.LOCK_SH):
            while not self._hold(place):
                self._make(place, wanted, fetch, settle)
        # Another time, where another job is at it, or about to use a layer of no site's.
        with suppress(BlockingIOError), self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
            self._tidy()
        return place

    @contextmanager
    def _open(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _CLOSED:
                raise
            raise errors.ImageError(
                f"{self._root} can't hold libraries",
                f"{type(error).__name__}: {error}",
                "make room in it, or have it belong to the job's user; else leave out "
                "--library-cache: libraries then go into a temporary folder",
            ) from None

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        lock = os.open(os.path.join(self._root, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, how)
            yield
        finally:
            os.close(lock)

    def _hold(self, place: str) -> bool:
        """Lock a site; False where there is none, or none any more."""
        try:
            lock = os.open(os.path.join(place, _LOCK), os.O_RDONLY)
        except FileNotFoundError:
            return False
        fcntl.flock(lock, fcntl.LOCK_SH)
        if not os.path.exists(os.path.join(place, _LOCK)):
            os.close(lock)
            return False
        os.set_inheritable(lock, True)
        os.utime(place)
        return True

    def _make(
        self, place: str, wanted: Sequence[Layer], fetch: Fetch, settle: Optional[Settle]
    ) -> None:
        pending = os.path.join(self._root, f".{os.urandom(8).hex()}")
        os.mkdir(pending, 0o700)
        try:
            homes = {a.digest: os.path.join(self._root, "layers", a.digest) for a in wanted}
            missing = [a for a in wanted if not os.path.isdir(homes[a.digest])]
            fetch([(layer, os.path.join(pending, layer.digest)) for layer in missing])
            for layer in missing:
                _publish(os.path.join(pending, layer.digest), homes[layer.digest])
            site = os.path.join(pending, "site")
            for home in homes.values():
                _link(home, site)
            if settle is not None:
                settle(site, place)
            with open(os.path.join(site, _LIST), "w", encoding="ascii") as file:
                file.write("\n".join(homes))
            with open(os.path.join(site, _LOCK), "w", encoding="ascii"):
                pass
            _publish(site, place)
        finally:
            shutil.rmtree(pending, ignore_errors=True)

    def _tidy(self) -> None:
        """Remove what many others have been used since."""
        sites = os.path.join(self._root, "sites")
        places = [os.path.join(sites, name) for name in os.listdir(sites)]
        if len(places) <= _KEPT:
            return
        places.sort(key=os.path.getmtime)
        for place in places[:-_KEPT]:
            _drop(place)
        used = set()
        for name in os.listdir(sites):
            try:
                with open(os.path.join(sites, name, _LIST), encoding="ascii") as file:
                    used.update(file.read().split())
            except FileNotFoundError:
                continue
        homes = os.path.join(self._root, "layers")
        for name in set(os.listdir(homes)) - used:
            shutil.rmtree(os.path.join(homes, name), ignore_errors=True)


def _publish(pending: str, place: str) -> None:
    try:
        os.rename(pending, place)
    except OSError as error:
        # Another job was faster: what it has made is the same.
        if error.errno not in _TAKEN:
            raise


def _link(source: str, target: str) -> None:
    """Make a tree whose files are those of `source`; one that is there already stays."""
    os.makedirs(target, exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            place = os.path.join(target, entry.name)
            if entry.is_dir(follow_symlinks=False):
                _link(entry.path, place)
                continue
            try:
                if entry.is_symlink():
                    os.symlink(os.readlink(entry.path), place)
                else:
                    os.link(entry.path, place)
            except FileExistsError:
                continue


def _drop(place: str) -> None:
    try:
        lock = os.open(os.path.join(place, _LOCK), os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(place, ignore_errors=True)
    # A job is using it.
    except BlockingIOError:
        pass
    finally:
        os.close(lock)
