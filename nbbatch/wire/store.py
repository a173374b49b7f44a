"""The port through which both sides move bytes: objects by key, whole or not at all."""

from __future__ import annotations

from typing import Iterator, NamedTuple, Optional, Protocol, Sequence, Tuple, Union, cast

Buffer = Union[bytes, bytearray, memoryview]

#: Seconds since it was written for which a shared object is relied on to stay, unasked. Whoever
#: tidies up takes away none that is younger than this and the time that a submit may take.
RELIABLE = 7 * 86400.0


class ReadingStore(Protocol):
    """What reads objects by key."""

    #: Where the root is, as the job is told: ``file:///path`` or ``s3://bucket/prefix``.
    url: str

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


class Store(ReadingStore, Protocol):
    """Objects by key, under one root.

    A write appears under its final name only when it is complete. Keys use ``/``; the store
    decides how large objects travel (several parts at once, several threads).
    """

    def put(self, key: str, pieces: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write the concatenation of `pieces`; no piece is copied whole.

        With `if_absent`, an object that exists stays as it is.

        Returns
        -------
        bool
            Whether this call wrote the object.
        """

    def reliable(self, key: str, size: int) -> bool:
        """Tell whether there is an object of this size, young enough to be used and not sent."""


class ListingStore(Store, Protocol):
    """A store that tells what is in it."""

    def list(self, prefix: str) -> "Iterator[Tuple[str, int, float]]":
        """Yield (key, size in bytes, last modified in seconds since the epoch) under `prefix`."""


class Kept(NamedTuple):
    """An object that the store vouches for: its key, the voucher, whether it was not there before.

    A voucher is the store's own text. It means something only under a seal: whoever wrote the
    object asked for it, and nobody else can give one to the reader.
    """

    key: str
    voucher: str
    new: bool


class VouchingStore(Store, Protocol):
    """A store that can tell, without reading it, that an object is still what was written."""

    def keep(self, folder: str, data: Buffer) -> Optional[Kept]:
        """Have an object with these bytes below `folder`: one that is there, or a new one.

        Parameters
        ----------
        folder
            The same for the same bytes, and hardly ever for others: only what lies there is
            compared, byte by byte.

        Returns
        -------
        Kept or None
            None where the place can't vouch, and nothing was written.
        """

    def settle(self) -> None:
        """Return once nobody can alter what was kept unnoticed; to be called before sealing."""

    def take(self, key: str, voucher: str, view: memoryview) -> bool:
        """Fill `view` with the object's bytes; tell whether they are those vouched for.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """

    def lend(self, key: str, voucher: str, size: int) -> Optional[memoryview]:
        """Return the object's bytes as writable memory that nobody else sees changes of.

        None where they are not those vouched for. The object may be deleted meanwhile.

        Raises
        ------
        OSError
            It can't be lent; `FileNotFoundError` where there is no such object.
        """

    def holds(self, key: str, voucher: str, data: Buffer) -> bool:
        """Tell whether the object is the one vouched for, and has these very bytes."""


def vouching(store: ReadingStore) -> Optional[VouchingStore]:
    """Return the store as one that vouches, if it does."""
    return cast(VouchingStore, store) if hasattr(store, "keep") else None
