"""What objects say that they refer to: blobs, libraries, other jobs.

Their headers are read as they are, whoever sealed them: what is believed here without a seal can
only make something stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.cleaning.survey import Thing
from nbbatch.wire import keys

#: Bytes that most headers have less of.
_FIRST = 32 << 10
_MAGIC = b"nbbatch"
#: Before the header: the magic, a version, the length.
_HEAD = len(_MAGIC) + 1 + 4
#: Objects that are read at a time.
_THREADS = 8


def referred(store: ClientStore, things: Iterable[Thing]) -> set[str]:
    """Return every text in the headers of objects: the names of what they need are among them."""
    told = [thing for thing in things if _tells(thing.key)]
    with ThreadPoolExecutor(_THREADS) as pool:
        return {text for found in pool.map(lambda t: _texts_of(store, t), told) for text in found}


def header(store: ClientStore, thing: Thing) -> dict[str, Any]:
    """Return the header of a sealed object; empty where it has none, or is gone."""
    return next(_headers(_beginning(store, thing)), {})


def _tells(key: str) -> bool:
    return key.startswith(keys.CACHE) or key.split("/")[2:3] not in (["claim"], ["again"])


def _texts_of(store: ClientStore, thing: Thing) -> set[str]:
    if thing.key.endswith("/items"):
        # One sealed object for each child.
        found = _headers(store.get(thing.key) or b"")
    else:
        found = _headers(_beginning(store, thing))
    return {text for each in found for text in _texts(each)}


def _beginning(store: ClientStore, thing: Thing) -> bytes:
    data = bytearray(min(thing.size, _FIRST))
    try:
        store.read_into(thing.key, 0, memoryview(data))
        end = _HEAD + int.from_bytes(data[_HEAD - 4 : _HEAD], "big")
        if len(data) < end <= thing.size:
            data = bytearray(end)
            store.read_into(thing.key, 0, memoryview(data))
    # It has gone meanwhile.
    except FileNotFoundError:
        return b""
    return bytes(data)


def _headers(data: bytes) -> Iterator[dict[str, Any]]:
    at = data.find(_MAGIC)
    while at >= 0:
        start = at + _HEAD
        end = start + int.from_bytes(data[start - 4 : start], "big")
        try:
            found = json.loads(data[start:end])
        # The magic word stands in a value, too.
        except ValueError:
            end = at + 1
        else:
            if isinstance(found, dict):
                yield found
        at = data.find(_MAGIC, max(end, at + 1))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
