"""The libraries that the image lacks: fetched, checked, unpacked and put on the path."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Sequence, Tuple

from nbbatch import errors
from nbbatch.wire import keys, layers
from nbbatch.wire.frames import frame
from nbbatch.wire.layers import Layer, Libraries, Piece
from nbbatch.wire.spec import JobSpec
from nbbatch.wire.store import Store
from nbbatch.worker.run import fingerprint
from nbbatch.worker.stores import open_store

Say = Callable[[Dict[str, Any]], None]

#: Fetching waits for the network; unpacking is work, of which more at a time than there are cores
#: only gets in its own way: each needs much new memory at once.
_THREADS = 8
#: Where distributions are installed; what travels counts before it, and after what is Python's.
_INSTALLED = ("site-packages", "dist-packages")


def provide(store: Store, job: JobSpec, folder: str, say: Say) -> None:
    """Put a job's libraries into `folder` and on the path; tell what the image has, if asked.

    Raises
    ------
    ImageError
        The image is not what the libraries are for.
    NbbatchError
        They can't be had, or are not what was sealed.
    """
    wanted = Libraries.from_meta(job.libraries)
    has = fingerprint.take()
    unfit = _unfit(wanted, has)
    if unfit or wanted.report:
        say(frame("image", **has))
    if unfit:
        raise errors.ImageError(
            f"{job.name} can't run on this image",
            unfit,
            "run it again: from now on this image's own Python and libraries are known",
        )
    if wanted.layers:
        place = _installed(store, wanted.layers, folder, say)
        see(place)


def _unfit(wanted: Libraries, has: Mapping[str, Any]) -> str:
    """Say in what an image is not the one that the libraries are for; nothing if it is."""
    for name, word in (("python", "Python"), ("machine", "processor"), ("libc", "C library")):
        asked = getattr(wanted, name)
        if asked and asked != has[name].split(" ")[0]:
            return f"its libraries are for {word} {asked}, and the image has {has[name]}"
    for name, version in wanted.expects.items():
        there = has["packages"].get(name)
        if there != version:
            return f"it is meant to have {name} {version}, and has {there or 'none'}"
    return ""


def see(place: str) -> None:
    """Let this Python, and those that it starts, find what is in `place`."""
    at = next((i for i, p in enumerate(sys.path) if p.endswith(_INSTALLED)), len(sys.path))
    sys.path[at:at] = [place, *_linked(place)]
    for name, value in (("PYTHONPATH", place), ("PATH", os.path.join(place, "bin"))):
        known = os.environ.get(name)
        os.environ[name] = os.pathsep.join(filter(None, [value, known]))


def _linked(place: str) -> List[str]:
    """Return the folders that ``.pth`` files name; code in them is not run."""
    found = []
    for name in sorted(os.listdir(place)):
        if name.endswith(".pth"):
            with open(os.path.join(place, name), encoding="utf-8", errors="replace") as file:
                lines = [line.strip() for line in file]
            paths = (os.path.join(place, line) for line in lines if line)
            found += [path for path in paths if os.path.isdir(path)]
    return found


def _installed(store: Store, wanted: Sequence[Layer], folder: str, say: Say) -> str:
    cache = os.environ.get(keys.ENV_LIBRARIES)
    if not cache:
        _fetch(store, [(layer, folder) for layer in wanted], say, late=False)
        _follow_up(wanted, folder)
        return folder
    # Loaded only where there is one.
    from nbbatch.worker.run.sharing import Shelf

    return Shelf(cache).site(wanted, lambda missing: _fetch(store, missing, say))


def _follow_up(wanted: Sequence[Layer], folder: str) -> None:
    """Fetch what hardly any job asks for while the code runs, in a process of its own."""
    pieces = [piece for layer in wanted for piece in layer.pieces if piece.late]
    if not pieces:
        return
    first = os.fork()
    if first:
        # Nobody's child: the code may wait for its own.
        os.waitpid(first, 0)
        return
    try:
        if os.fork():
            return
        os.nice(19)
        # A store of its own: a connection must not be shared with a fork.
        store = open_store(os.environ)
        for piece in pieces:
            _take(store, piece, folder, contextlib.nullcontext())
    # Nobody waits for it.
    except BaseException:
        pass
    finally:
        os._exit(0)


def _fetch(
    store: Store, missing: Sequence[Tuple[Layer, str]], say: Say, *, late: bool = True
) -> None:
    """Fetch layers, each into its folder, with what may come late or without."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import BoundedSemaphore

    if not missing:
        return
    started = time.monotonic()
    say(frame("libraries", text=f"fetching {_named([layer for layer, _ in missing])}"))
    pieces = [(p, to) for layer, to in missing for p in layer.pieces if late or not p.late]
    # The largest first, so that the last ones to end are short.
    pieces.sort(key=lambda pair: -pair[0].size)
    gate = BoundedSemaphore(_cores())
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(lambda pair: _take(store, pair[0], pair[1], gate), pieces):
            pass
    seconds = time.monotonic() - started
    say(frame("libraries", text="", seconds=round(seconds, 3)))


def _cores() -> int:
    """Return how many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    # Not everywhere.
    except AttributeError:
        return os.cpu_count() or 1


def _take(store: Store, piece: Piece, folder: str, gate: "ContextManager[Any]") -> None:
    name = layers.key(piece.digest)
    data = store.get(name)
    if data is None:
        raise errors.NotFoundError(
            f"{name}, a part of the job's libraries, is gone",
            "it was deleted from the store",
            "run it again: it is sent anew then",
        )
    try:
        with gate:
            layers.check(data, piece)
            layers.unpack(data, folder)
    except ValueError as error:
        raise errors.SealError(
            "the job's libraries are refused unread",
            str(error),
            "find out who else writes to the store, remove that object and run it again",
        ) from None


def _named(wanted: Sequence[Layer]) -> str:
    """Name the largest and count the others: ``pandas, numpy and 3 more, 62 MB``."""
    ordered = sorted(wanted, key=lambda layer: -layer.size)
    names = ", ".join(layer.name for layer in ordered[:2])
    more = f" and {len(ordered) - 2} more" if len(ordered) > 2 else ""
    return f"{names}{more}, {sum(layer.size for layer in wanted) / 1e6:.0f} MB"
