"""A store in which some of a job's objects lie as they were kept, and all others where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nbbatch.backends.base import ClientStore


class Shelf:
    """A store, and objects that need not be fetched from it.

    Parameters
    ----------
    whole
        What the names of objects begin with of which there are no others than those kept.
    """

    def __init__(self, store: ClientStore, objects: Mapping[str, bytes], whole: str) -> None:
        self._store = store
        self._objects = objects
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        """Be the store in all that is not about these objects."""
        return getattr(self._store, name)

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes; see `nbbatch.wire.store.ReadingStore.get`."""
        kept = self._objects.get(key)
        if kept is not None or (self._whole and key.startswith(self._whole)):
            return kept
        return self._store.get(key)

    def list(self, prefix: str = "") -> Iterator[tuple[str, int, float]]:
        """List the store's own; see `nbbatch.wire.store.ListingStore.list`."""
        return self._store.list(prefix)
