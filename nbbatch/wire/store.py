"""The port through which both sides move bytes: objects by key, whole or not at all."""

from __future__ import annotations

from typing import Optional, Protocol, Sequence, Union

Buffer = Union[bytes, bytearray, memoryview]


class Store(Protocol):
    """Objects by key, under one root.

    A write appears under its final name only when it is complete. Keys use ``/``; the store
    decides how large objects travel (several parts at once, several threads).
    """

    #: Where the root is, as the job is told: ``file:///path`` or ``s3://bucket/prefix``.
    url: str

    def put(self, key: str, pieces: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write the concatenation of `pieces`; no piece is copied whole.

        With `if_absent`, an object that exists stays as it is.

        Returns
        -------
        bool
            Whether this call wrote the object.
        """

    def get(self, key: str) -> Optional[bytes]:
        """Return a (small) object's bytes, or None where there is none."""

    def size(self, key: str) -> Optional[int]:
        """Return an object's size in bytes, or None where there is none."""

    def read_into(self, key: str, offset: int, view: memoryview) -> None:
        """Fill `view` with the object's bytes from `offset` on; thread-safe.

        Raises
        ------
        FileNotFoundError
            There is no such object, or it ends before `view` is full.
        """
