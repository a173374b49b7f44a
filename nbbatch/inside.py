"""`nbbatch.current`: what a job can know about itself. Also importable inside jobs.

Standard library only, Python 3.9 and newer: it travels with the worker.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import datetime
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Union

from nbbatch.errors import UsageError
from nbbatch.wire import keys

if TYPE_CHECKING:
    from nbbatch.wire.checkpoints import Checkpoints

__all__ = ["Checkpoint", "Current", "current", "in_job"]

#: What a checkpoint is called that is given no name.
_CHECKPOINT = "checkpoint"

_ENV_CURRENT = "NBBATCH_CURRENT"


def in_job() -> bool:
    """Tell whether this process runs inside a job."""
    return _ENV_CURRENT in os.environ


class Current:
    """The job that this process runs in.

    The variables that AWS Batch sets are documented at
    https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html; the local backend
    sets the same ones.
    """

    def __bool__(self) -> bool:
        """Whether this process runs inside a job."""
        return in_job()

    def __repr__(self) -> str:
        if not in_job():
            return "<nbbatch.current: not in a job>"
        return f"<nbbatch.current: job {self.job_id}, attempt {self.attempt} of {self.attempts}>"

    def _facts(self) -> Dict[str, Any]:
        text = os.environ.get(_ENV_CURRENT)
        if text is None:
            raise UsageError(
                "nbbatch.current knows nothing here",
                "this process is not inside a job",
                "test it first: if nbbatch.current: ...",
            )
        facts: Dict[str, Any] = json.loads(text)
        return facts

    @property
    def job_id(self) -> str:
        """The job's id, minted by nbbatch."""
        return str(self._facts()["job_id"])

    @property
    def job_name(self) -> str:
        """The job's name."""
        return str(self._facts()["job_name"])

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1.

        That of Batch, and on from there where the job was started again with more memory.
        """
        return int(self._facts()["attempt"])

    @property
    def attempts(self) -> int:
        """How often the job may be started in all."""
        return int(self._facts()["attempts"])

    @property
    def resources(self) -> Mapping[str, Any]:
        """What was asked for: ``cpu``, ``gpu``, ``memory`` (MiB), ``image``."""
        return dict(self._facts()["resources"])

    @property
    def tempdir(self) -> str:
        """A folder for temporary files; it goes with the attempt.

        Where the job asked for a file system in memory, that one (``tmpfs_path``).
        """
        self._facts()
        return os.environ.get(keys.ENV_TEMPDIR) or tempfile.gettempdir()

    @property
    def spot_termination_notice(self) -> str:
        """The path of a file that exists once the instance is to be taken away.

        It holds the time as EC2 writes it, e.g. ``2026-01-31T09:45:00Z``. As in Metaflow.
        """
        return str(self._facts()["spot_notice"])

    @property
    def reclaimed_at(self) -> Optional[datetime]:
        """When the instance is taken away, with its time zone; None while nothing is known.

        EC2 says it two minutes before, and the job learns it within some seconds.
        """
        try:
            with open(self.spot_termination_notice, encoding="utf-8") as file:
                return datetime.fromisoformat(file.read().strip().replace("Z", "+00:00"))
        except (OSError, ValueError):
            return None

    @property
    def checkpoint(self) -> "Checkpoint":
        """What the job keeps for its next attempt; see `Checkpoint`."""
        self._facts()
        return Checkpoint()

    @property
    def batch_job_id(self) -> str:
        """AWS Batch's id of the job: ``...:INDEX`` of an array's child, ``...#INDEX`` of a node."""
        return self._variable(keys.ENV_BATCH_JOB) or ""

    @property
    def queue(self) -> str:
        """The name of the job queue."""
        return self._variable(keys.ENV_BATCH_QUEUE) or ""

    @property
    def compute_environment(self) -> str:
        """The name of the compute environment."""
        return self._variable(keys.ENV_BATCH_CE) or ""

    @property
    def kubernetes_node_uid(self) -> str:
        """The id of the cluster's node that the job runs on; empty elsewhere than on EKS."""
        return self._variable(keys.ENV_BATCH_KUBERNETES_NODE) or ""

    @property
    def array_size(self) -> Optional[int]:
        """The size of the array that the job belongs to; None outside one."""
        return self._number(keys.ENV_BATCH_ARRAY_SIZE)

    @property
    def array_index(self) -> Optional[int]:
        """The job's index in its array; None outside one."""
        return self._number(keys.ENV_BATCH_ARRAY_INDEX)

    @property
    def node_index(self) -> Optional[int]:
        """The node's index in its multi-node job; None outside one."""
        return self._number(keys.ENV_BATCH_NODE_INDEX)

    @property
    def num_nodes(self) -> int:
        """The number of nodes of the job."""
        return self._number(keys.ENV_BATCH_NUM_NODES) or 1

    @property
    def main_ip(self) -> str:
        """The main node's private address, on every node; this host's own outside such a job."""
        return str(self._facts()["main_ip"])

    def _variable(self, name: str) -> Optional[str]:
        self._facts()
        return os.environ.get(name)

    def _number(self, name: str) -> Optional[int]:
        value = self._variable(name)
        return int(value) if value else None


class Checkpoint:
    """What a job keeps in the store, so that its next attempt goes on where this one stopped.

    ::

        state = current.checkpoint.load(default={"epoch": 0})
        for epoch in range(state["epoch"], 100):
            ...
            current.checkpoint.save({"epoch": epoch + 1, "model": model})

    A save that is cut off leaves the one before; large arrays and files that are as they were are
    not written again. Everything is sealed with the job's key. Several names keep several things.
    On a multi-node job each node has its own under the name that is used without one, and so has
    each child of an array; all others are shared by them.
    """

    def __repr__(self) -> str:
        return f"<checkpoints of job {current.job_id}>"

    def save(self, value: Any, name: str = _CHECKPOINT) -> None:
        """Keep a value, in the place of what was kept under that name.

        Raises
        ------
        NotPicklableError
            Some part of it does not pickle; what was kept is as it was.
        """
        from nbbatch.wire import checkpoints

        _kept().save(_own(name), checkpoints.pack_value(value, name))

    def load(self, name: str = _CHECKPOINT, default: Any = None) -> Any:
        """Return the value that was kept last, by this attempt or one before; else `default`.

        Raises
        ------
        NbbatchError
            It can't be rebuilt here, or was altered.
        """
        from nbbatch.wire import checkpoints

        found = _kept().load(_own(name))
        return default if found is None else checkpoints.unpack_value(found, name)

    def save_files(self, path: "Union[str, os.PathLike[str]]", name: str = _CHECKPOINT) -> None:
        """Keep a file, or a folder with all that is in it."""
        from nbbatch.wire import folders

        _kept().save(_own(name), folders.pack(os.fspath(path), name))

    def load_files(self, path: "Union[str, os.PathLike[str]]", name: str = _CHECKPOINT) -> bool:
        """Write the file or folder that was kept last to `path`; tell whether there was one."""
        from nbbatch.wire import folders

        found = _kept().load(_own(name))
        if found is not None:
            folders.unpack(found, os.fspath(path), name)
        return found is not None


def _kept() -> "Checkpoints":
    from nbbatch.wire import here

    if here.checkpoints is None:
        raise UsageError(
            "nbbatch.current.checkpoint can't be used here",
            "this is a program that the job has started, and it does not get the job's key",
            "save and load in the job's own process, or in one that it forks",
        )
    return here.checkpoints()


def _own(name: str) -> str:
    node, child = current.node_index, current.array_index
    if name != _CHECKPOINT or (node is None and child is None):
        return name
    return f"{name}-child{child}" if node is None else f"{name}-node{node}"


current = Current()
