"""Gives `nbbatch.current.checkpoint` the job's store and key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Dict

from nbbatch.wire import here, keys
from nbbatch.wire.store import Store
from nbbatch.worker.run.identity import Identity
from nbbatch.worker.stores import open_store

if TYPE_CHECKING:
    from nbbatch.wire.checkpoints import Checkpoints


class _Keeper:
    """Opens the checkpoints of this process, and of those that it forks, when they are wanted."""

    def __init__(self, store: Store, identity: Identity) -> None:
        self._identity = identity
        self._environ = dict(os.environ)
        self._main = os.getpid()
        # One for each process: a connection must not be shared with a fork.
        self._stores = {self._main: store}
        self._open: Dict[int, "Checkpoints"] = {}

    def __call__(self) -> "Checkpoints":
        pid = os.getpid()
        if pid not in self._open:
            # Loaded only where it is wanted: most jobs keep nothing.
            from nbbatch.wire.checkpoints import Checkpoints, Owner

            if pid not in self._stores:
                self._stores[pid] = open_store(self._environ)
            me = self._identity
            line = f"node{self._environ.get(keys.ENV_BATCH_NODE_INDEX) or 0}-"
            line = f"child{me.part}-" if me.children else line
            writer = f"{line}{me.attempt}"
            if pid != self._main:
                writer = f"fork{pid}-{writer}"
                line = f"{writer}-"
            owner = Owner(me.job, me.key, writer, line)
            self._open.setdefault(pid, Checkpoints(self._stores[pid], owner))
        return self._open[pid]


def keep(store: Store, identity: Identity) -> None:
    """Let the code of this process, and of those that it forks, keep things in `store`."""
    here.checkpoints = _Keeper(store, identity)
