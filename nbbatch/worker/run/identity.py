"""Which job, which attempt, with which key: read from the environment once."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Mapping, MutableMapping, Optional

from nbbatch.wire import keys
from nbbatch.wire.claims import Claiming, claim


@dataclass(frozen=True)
class Identity:
    """The job and attempt that this process is to run.

    Attributes
    ----------
    part
        Which part of the job, where it has several: the index of the node, or of the child.
    nodes
        How many nodes the job has.
    main
        The index of the node by which Batch tells how the job is.
    children
        How many children the array has, of which this is one; 0 where it is none of ours.
    before
        How many attempts were made before the first of this job of Batch.
    """

    job: str
    attempt: int
    batch_job_id: str
    key: bytes = field(repr=False)
    part: Optional[int] = None
    nodes: int = 1
    main: int = 0
    children: int = 0
    before: int = 0

    @property
    def owner(self) -> str:
        """Whose the objects are that this process seals."""
        return keys.owner(self.job, self.part)

    @property
    def claiming(self) -> Claiming:
        """What is claimed before anything else is done."""
        return Claiming(self.key, self.job, self.attempt, self.part)

    def claim(self) -> bytes:
        """Return the claim of this process."""
        return claim(self.claiming, self.batch_job_id)


def take_identity(environ: MutableMapping[str, str]) -> Identity:
    """Read the identity and take the key out of `environ`, where the user's code could print it."""
    nodes = _number(environ, keys.ENV_BATCH_NUM_NODES) or 1
    children = _number(environ, keys.ENV_CHILDREN)
    first = _number(environ, keys.ENV_FIRST_CHILD)
    child = first + _number(environ, keys.ENV_BATCH_ARRAY_INDEX) if children else None
    before = _number(environ, keys.ENV_BEFORE)
    found = Identity(
        job=environ[keys.ENV_JOB],
        attempt=before + int(environ.get(keys.ENV_BATCH_ATTEMPT) or 1),
        batch_job_id=environ.get(keys.ENV_BATCH_JOB, ""),
        key=bytes.fromhex(environ.pop(keys.ENV_KEY)),
        part=_number(environ, keys.ENV_BATCH_NODE_INDEX) if nodes > 1 else child,
        nodes=nodes,
        main=_number(environ, keys.ENV_BATCH_MAIN_NODE_INDEX),
        children=children,
        before=before,
    )
    if environ is os.environ and sys.platform == "linux":
        _cover(keys.ENV_KEY.encode())
    return found


def _number(environ: Mapping[str, str], name: str) -> int:
    return int(environ.get(name) or 0)


#: Places in ``/proc/self/stat`` behind the name: where the initial environment begins and ends.
#: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
_ENV_START, _ENV_END = 47, 48


def _cover(name: bytes) -> None:
    """Write over a variable's value in ``/proc/self/environ``: unsetting it leaves it there."""
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            block = memory.read(end - start)
            for entry in block.split(b"\0"):
                if entry.startswith(name + b"="):
                    at = block.index(entry) + len(name) + 1
                    memory.seek(start + at)
                    memory.write(b"*" * (len(entry) - len(name) - 1))
    # A sandbox that shows no such files: there is nothing to read there either.
    except (OSError, IndexError, ValueError):
        pass
