"""What a job keeps (`nbbatch.current.checkpoint`), looked at from the notebook."""

from __future__ import annotations

from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.errors import NotFoundError
from nbbatch.wire import keys
from nbbatch.wire.checkpoints import Checkpoints, Owner, names, unpack_value
from nbbatch.wire.folders import unpack


def kept_names(store: ClientStore, job: str) -> list[str]:
    """Return the names under which a job keeps something."""
    return names([key for key, _, _ in store.list(keys.file(job, ""))], job)


def kept(store: ClientStore, owner: Owner, name: str, path: str | None) -> Any:
    """Return what a job keeps under a name; files are written to `path`, if it is given.

    Raises
    ------
    NotFoundError
        It keeps nothing of that name, or not yet.
    NbbatchError
        It can't be rebuilt here, or was altered.
    """
    found = Checkpoints(store, owner).load(name)
    if found is None:
        raise NotFoundError(
            f"job {owner.job} has no checkpoint {name}",
            f"it keeps {', '.join(kept_names(store, owner.job)) or 'nothing'}",
            "job.checkpoints() lists the names",
        )
    if path is None:
        return unpack_value(found, name)
    unpack(found, path, name)
    return path
