"""A job's whole story, read again from the store: for logs and outputs after the fact."""

from __future__ import annotations

from collections.abc import Iterator

from nbbatch.backends.base import ClientStore
from nbbatch.wire import keys, parts, spec
from nbbatch.wire.envelope import broken, unseal
from nbbatch.wire.frames import Frame, decode


def read_story(store: ClientStore, key: bytes, job: str, attempt: int) -> Iterator[Frame]:
    """Yield the frames of one attempt, in order, as far as it has come."""
    number = 0
    while True:
        found = read_chapter(store, key, job, attempt, number)
        if found is None:
            return
        yield from found
        number += 1


def read_chapter(
    store: ClientStore, key: bytes, job: str, attempt: int, number: int
) -> list[Frame] | None:
    """Read one numbered object of a story, if it is there.

    Raises
    ------
    SealError
        It is not what this job wrote at this place.
    """
    data = store.get(keys.frames(job, attempt, number))
    if data is None:
        return None
    sealed = unseal(data, key, spec.FRAMES, job)
    if sealed.meta != {"attempt": attempt, "number": number}:
        raise broken(f"frames object {number} of job {job}")
    return decode(bytes(parts.read(store, sealed, 0)))
