"""Who makes an attempt of a job: sealed, for what it says is asked about, and stopped."""

from __future__ import annotations

from typing import NamedTuple, Optional

from nbbatch.errors import WireError
from nbbatch.wire import keys, spec
from nbbatch.wire.envelope import seal, unseal


class Claiming(NamedTuple):
    """One attempt of a job, or of one part of it, and the key that its objects are sealed with."""

    key: bytes
    job: str
    attempt: int
    part: Optional[int] = None

    @property
    def name(self) -> str:
        """The name of its claim."""
        return keys.claim(self.job, self.attempt, self.part)


def claim(claiming: Claiming, batch_job_id: str) -> bytes:
    """Return what the backend's job of that id puts down before it makes an claiming."""
    meta = {"attempt": claiming.attempt, "by": batch_job_id}
    owner = keys.owner(claiming.job, claiming.part)
    return b"".join(bytes(piece) for piece in seal(claiming.key, spec.CLAIM, owner, meta))


def claimant(claiming: Claiming, data: Optional[bytes]) -> str:
    """Return the backend's id of the job that makes an claiming.

    ``""`` where nobody has claimed it, or somebody who has not the job's key.
    """
    if data is None:
        return ""
    try:
        owner = keys.owner(claiming.job, claiming.part)
        meta = unseal(data, claiming.key, spec.CLAIM, owner).meta
    except WireError:
        return ""
    return str(meta["by"]).partition("#")[0] if meta["attempt"] == claiming.attempt else ""
