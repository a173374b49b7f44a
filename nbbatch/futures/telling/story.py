"""A job's whole story, read again from the store: for logs and outputs after the fact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nbbatch.backends.base import ClientStore
from nbbatch.wire import keys, parts, spec
from nbbatch.wire.envelope import broken, unseal
from nbbatch.wire.frames import Frame, decode


class Teller(NamedTuple):
    """Whose story it is: the key it is sealed with, the job, and which part of it."""

    key: bytes
    job: str
    part: int | None = None


def tellers(key: bytes, job: str, nodes: int) -> list[Teller]:
    """Name those who tell a job's story: the job, or each of its nodes."""
    return [Teller(key, job, part) for part in (range(nodes) if nodes > 1 else (None,))]


def read_story(store: ClientStore, teller: Teller, attempt: int) -> Iterator[Frame]:
    """Yield the frames of one attempt, in order, as far as it has come."""
    number = 0
    while True:
        found = read_chapter(store, teller, attempt, number)
        if found is None:
            return
        yield from found
        number += 1


def read_chapter(
    store: ClientStore, teller: Teller, attempt: int, number: int
) -> list[Frame] | None:
    """Read one numbered object of a story, if it is there.

    Raises
    ------
    SealError
        It is not what this job wrote at this place.
    """
    data = store.get(keys.frames(teller.job, attempt, number, teller.part))
    if data is None:
        return None
    owner = keys.owner(teller.job, teller.part)
    sealed = unseal(data, teller.key, spec.FRAMES, owner)
    if sealed.meta != {"attempt": attempt, "number": number}:
        raise broken(f"frames object {number} of job {owner}")
    return decode(bytes(parts.read(store, sealed, 0)))
