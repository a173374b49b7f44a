"""Layers into the store: packed and sent at the same time, several pieces at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from nbbatch.backends.base import ClientStore
from nbbatch.libraries.building import linked
from nbbatch.libraries.installed import Distribution
from nbbatch.wire import layers
from nbbatch.wire.layers import Chunk, Layer, Piece

__all__ = ["PULSE", "Content", "Pulse", "Say", "of", "send", "silent"]

#: Packing is work, sending waits for the network.
_THREADS: Final = min(8, (os.cpu_count() or 1) + 2)
#: From this size on it is asked first whether a piece is there: another machine may have sent it.
_ASKED: Final = 1 << 16


#: Called while something takes long, every so many seconds: a Cancel is heard then.
Pulse = Callable[[], object]
PULSE: Final = 0.2


class Say(Protocol):
    """Told in words how far it is."""

    def __call__(self, text: str, *, last: bool = False) -> None:
        """Take the next step, or the `last` words."""


def silent(text: str, *, last: bool = False) -> None:
    """Say nothing."""


class Content(NamedTuple):
    """What a layer is made of: all that is known of it but its pieces, and its files in them."""

    layer: Layer
    groups: Iterable[list[Chunk]]


def of(found: Distribution) -> Layer:
    """Return the layer of a distribution, without pieces."""
    modules = tuple(sorted(found.modules))
    return Layer(found.name, found.version, (), modules, found.needs, linked(found))


def send(contents: Mapping[str, Content], store: ClientStore, say: Say) -> dict[str, Layer]:
    """Build layers, put them into the store and return them by their recipes."""
    found: dict[str, list[Piece]] = {recipe: [] for recipe in contents}
    waiting: deque[tuple[str, Future[Piece]]] = deque()

    def take() -> None:
        recipe, future = waiting.popleft()
        found[recipe].append(future.result())

    with ThreadPoolExecutor(_THREADS) as pool:
        for number, recipe, group in _groups(contents):
            say(f"sending {contents[recipe].layer.name}, {number} of {len(contents)}")
            waiting.append((recipe, pool.submit(_put, store, group)))
            # Not all at once: a large distribution would fill the memory.
            if len(waiting) > 2 * _THREADS:
                take()
        while waiting:
            take()
    return {
        recipe: replace(content.layer, pieces=tuple(found[recipe]))
        for recipe, content in contents.items()
    }


def _groups(contents: Mapping[str, Content]) -> Iterator[tuple[int, str, list[Chunk]]]:
    for number, (recipe, content) in enumerate(contents.items(), 1):
        for group in content.groups:
            yield number, recipe, group


def _put(store: ClientStore, group: list[Chunk]) -> Piece:
    piece, data = layers.pack(group)
    key = layers.key(piece.digest)
    # S3 refuses what is there only once it has all of it.
    if len(data) < _ASKED or store.size(key) != len(data):
        store.put(key, [data], if_absent=True)
    return piece
