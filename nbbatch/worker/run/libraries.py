"""The libraries that the image lacks: fetched, checked, unpacked and put on the path."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from nbbatch import errors
from nbbatch.wire import keys
from nbbatch.wire.frames import frame
from nbbatch.wire.layers import Layer, Libraries
from nbbatch.wire.spec import JobSpec
from nbbatch.wire.store import Store
from nbbatch.worker.run import fingerprint
from nbbatch.worker.run.fetching import fetch

if TYPE_CHECKING:
    from nbbatch.worker.run.arriving import Arrivals

Say = Callable[[Dict[str, Any]], None]

#: Where distributions are installed; what travels counts before it, and after what is Python's.
_INSTALLED = ("site-packages", "dist-packages")


def check(job: JobSpec, say: Say) -> None:
    """Tell what the image has, if asked, or if it is not what the libraries are for.

    Raises
    ------
    ImageError
        It is not.
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


def provide(store: Store, job: JobSpec, folder: str, say: Say) -> "Coming":
    """Put a job's libraries on the path.

    Those that don't stay on the host go into `folder`, and may still be on their way.

    Raises
    ------
    NbbatchError
        They can't be had, or are not what was sealed.
    """
    wanted = Libraries.from_meta(job.libraries)
    cache = os.environ.get(keys.ENV_LIBRARIES)
    if not wanted.layers:
        return Coming()
    if cache:
        _shared(store, wanted.layers, cache, say)
        return Coming()
    return Coming(_begun(wanted.layers, folder), _named(wanted.layers), say)


class Coming:
    """Libraries that may still be on their way."""

    def __init__(
        self, arrivals: "Optional[Arrivals]" = None, named: str = "", say: Optional[Say] = None
    ) -> None:
        self._arrivals = arrivals
        self._say = say
        self._started = time.monotonic()
        if say is not None:
            say(frame("libraries", text=f"fetching {named}"))

    def there(self) -> None:
        """Wait until the code may begin: nothing that is to come is missing.

        Raises
        ------
        NbbatchError
            Something is.
        """
        if self._arrivals is not None and self._say is not None:
            self._arrivals.there()
            self._say(_done(self._started))


def _unfit(wanted: Libraries, has: Mapping[str, Any]) -> str:
    """Say in what an image is not the one that the libraries are for; nothing if it is."""
    for name, word in (("python", "Python"), ("machine", "processor"), ("libc", "C library")):
        asked = getattr(wanted, name)
        if name == "python" and wanted.prefix:
            continue
        if asked and asked != has[name].split(" ")[0]:
            return f"its libraries are for {word} {asked}, and the image has {has[name]}"
    for name, version in wanted.expects.items():
        there = has["packages"].get(name)
        if there != version:
            return f"it is meant to have {name} {version}, and has {there or 'none'}"
    return ""


def see(place: str) -> None:
    """Let this Python, and those that it starts, find what is in `place`."""
    _insert([place, *_linked(place)])
    for name, value in (("PYTHONPATH", place), ("PATH", os.path.join(place, "bin"))):
        known = os.environ.get(name)
        os.environ[name] = os.pathsep.join(filter(None, [value, known]))


def _insert(places: Sequence[str]) -> None:
    at = next((i for i, p in enumerate(sys.path) if p.endswith(_INSTALLED)), len(sys.path))
    sys.path[at:at] = [place for place in places if place not in sys.path]


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


def _begun(wanted: Sequence[Layer], folder: str) -> "Arrivals":
    from nbbatch.worker.run.arriving import Arrivals

    see(folder)
    found = Arrivals(wanted, folder, lambda: _insert(_linked(folder)))
    found.start()
    return found


def _shared(store: Store, wanted: Sequence[Layer], cache: str, say: Say) -> None:
    # Loaded only where there is one.
    from nbbatch.worker.run.sharing import Shelf

    see(Shelf(cache).site(wanted, lambda missing: fetched(store, missing, say)))


def fetched(store: Store, missing: Sequence[Tuple[Layer, str]], say: Say) -> None:
    """Fetch layers, each into its folder, and say so."""
    if not missing:
        return
    started = time.monotonic()
    say(frame("libraries", text=f"fetching {_named([layer for layer, _ in missing])}"))
    fetch(store, missing)
    say(_done(started))


def _done(started: float) -> Dict[str, Any]:
    return frame("libraries", text="", seconds=round(time.monotonic() - started, 3))


def _named(wanted: Sequence[Layer]) -> str:
    """Name the largest and count the others: ``pandas, numpy and 3 more, 62 MB``."""
    sizes: Dict[str, int] = {}
    for layer in wanted:
        sizes[layer.name] = sizes.get(layer.name, 0) + layer.size
    ordered = sorted(sizes, key=lambda name: -sizes[name])
    more = f" and {len(ordered) - 2} more" if len(ordered) > 2 else ""
    return f"{', '.join(ordered[:2])}{more}, {sum(sizes.values()) / 1e6:.0f} MB"
