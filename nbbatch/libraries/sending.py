"""Layers into the store: packed and sent at the same time, several pieces at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from nbbatch.backends.base import ClientStore
from nbbatch.libraries.building import chunks
from nbbatch.libraries.installed import Distribution
from nbbatch.wire import layers
from nbbatch.wire.layers import Chunk, Layer, Piece

__all__ = ["Building", "send"]

_THREADS: Final = min(8, (os.cpu_count() or 1) + 2)

#: Told in words how far it is.
Say = Callable[[str], None]
#: A recipe, to what it is built of and whether bytecode goes along.
Building = Mapping[str, tuple[Distribution, bool]]


def send(building: Building, store: ClientStore, say: Say) -> dict[str, Layer]:
    """Build layers, put them into the store and return them by their recipes."""
    found: dict[str, list[Piece]] = {recipe: [] for recipe in building}
    waiting: deque[tuple[str, Future[Piece]]] = deque()

    def take() -> None:
        recipe, future = waiting.popleft()
        found[recipe].append(future.result())

    with ThreadPoolExecutor(_THREADS) as pool:
        for number, (recipe, group) in _groups(building):
            name = building[recipe][0].name
            say(f"sending {name}, {number} of {len(building)} libraries")
            waiting.append((recipe, pool.submit(_put, store, group)))
            # Not all at once: a large distribution would fill the memory.
            if len(waiting) > 2 * _THREADS:
                take()
        while waiting:
            take()
    return {
        recipe: Layer(made.name, made.version, tuple(found[recipe]))
        for recipe, (made, _) in building.items()
    }


def _groups(building: Building) -> Iterator[tuple[int, tuple[str, list[Chunk]]]]:
    for number, (recipe, (distribution, compiled)) in enumerate(building.items(), 1):
        for group in chunks(distribution, compiled=compiled):
            yield number, (recipe, group)


def _put(store: ClientStore, group: list[Chunk]) -> Piece:
    piece, data = layers.pack(group)
    store.put(layers.key(piece.digest), [data], if_absent=True)
    return piece
