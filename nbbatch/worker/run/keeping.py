"""Gives `nbbatch.current.checkpoint` the job's store and key."""

from __future__ import annotations

import os
from typing import Dict

from nbbatch.wire import checkpoints, keys
from nbbatch.wire.checkpoints import Checkpoints, Owner
from nbbatch.wire.store import Store
from nbbatch.worker.run.identity import Identity
from nbbatch.worker.stores import open_store


def keep(store: Store, identity: Identity) -> None:
    """Let the code of this process, and of those that it forks, keep things in `store`."""
    environ = dict(os.environ)
    stores: Dict[int, Store] = {os.getpid(): store}
    line = f"node{environ.get(keys.ENV_BATCH_NODE_INDEX) or 0}-"
    owner = Owner(identity.job, identity.key, f"{line}{identity.attempt}", line)

    def of_this_process() -> Store:
        # A connection must not be shared with a fork.
        return stores.setdefault(os.getpid(), open_store(environ))

    def forked() -> None:
        own = f"fork{os.getpid()}-{owner.writer}"
        forks = owner._replace(writer=own, line=f"{own}-")
        checkpoints.here = Checkpoints(of_this_process, forks)

    checkpoints.here = Checkpoints(of_this_process, owner)
    os.register_at_fork(after_in_child=forked)
