"""What a job uses, sampled from outside its process: the ``usage`` frame.

In a container the control group tells, since it counts all that runs there and is what kills.
Elsewhere (and in a container that the job shares with others) the job's processes are added up.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from nbbatch.wire import keys
from nbbatch.worker.sampling import cgroups, processes
from nbbatch.worker.sampling.cgroups import Cgroup
from nbbatch.worker.sampling.gpus import Gpus

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sampler:
    """Samples the use of process `pid` and all that it started.

    Parameters
    ----------
    root
        Where the control groups are mounted.
    """

    def __init__(self, pid: int, root: str = cgroups.ROOT) -> None:
        self._pid = pid
        self._cgroup = own_cgroup(root)
        self._limit = _limit(self._cgroup)
        self._gpus = Gpus()
        self._kills = self._kills_so_far()
        self._disk, self._room = _disk()
        self._last = (time.monotonic(), self._read()[1])

    def sample(self) -> dict[str, Any]:
        """Return the fields of a ``usage`` frame.

        Returns
        -------
        dict
            ``cpu`` (cores used since the last sample), ``memory`` and ``memory_limit`` (bytes),
            ``disk`` (bytes by which the file system of the temporary directory filled up since
            the start: whether the job's files fit), ``disk_limit`` (bytes that were free there at
            the start: what it may fill), ``gpus``.
        """
        memory, seconds = self._read()
        now = time.monotonic()
        then, before = self._last
        self._last = (now, seconds)
        return {
            "cpu": round(max(0.0, seconds - before) / max(now - then, 1e-3), 3),
            "memory": memory,
            "memory_limit": self._limit,
            "disk": max(0, _disk()[0] - self._disk),
            "disk_limit": self._room,
            "gpus": self._gpus.sample(),
        }

    def oom_kills(self) -> int:
        """Return how many processes were killed for their memory since the start.

        Without a control group of the job's own these are all of the machine.
        """
        return max(0, self._kills_so_far() - self._kills)

    def _read(self) -> tuple[int, float]:
        if self._cgroup is not None:
            memory, seconds = self._cgroup.memory(), self._cgroup.cpu_seconds()
            if memory is not None and seconds is not None:
                return memory, seconds
        return processes.use(self._pid)

    def _kills_so_far(self) -> int:
        if self._cgroup is not None:
            return self._cgroup.oom_kills() or 0
        return cgroups.table("/proc/vmstat").get("oom_kill", 0)


def host_facts() -> dict[str, Any]:
    """Return what the job sees of its machine: the ``given`` of a ``started`` frame.

    Returns
    -------
    dict
        ``python``, ``system``, ``host``, ``cpu`` (cores), ``memory`` (MiB: the limit, or all
        that the machine has), ``gpus`` (their names).
    """
    cgroup = own_cgroup()
    memory = _limit(cgroup) or _machine_memory()
    system = os.uname()
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "system": f"{system.sysname} {system.machine}",
        "host": system.nodename,
        "cpu": _cores(cgroup),
        "memory": memory >> 20 if memory else None,
        "gpus": Gpus().names(),
    }


def own_cgroup(root: str = cgroups.ROOT) -> Cgroup | None:
    """Return the control group that is this job's alone, or None.

    It has a memory limit, as every container of Batch has; and either no backend has said what
    it gave, or this is the container's first process. A local job in a container that has a
    limit (a hosted notebook) is not alone in it.
    """
    cgroup = Cgroup(root)
    if cgroup.memory_limit() is None:
        return None
    first = os.getpid() == 1 or os.getppid() <= 1
    return cgroup if first or "memory" not in _given() else None


def _given() -> Mapping[str, Any]:
    try:
        found = json.loads(os.environ.get(keys.ENV_GIVEN, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _limit(cgroup: Cgroup | None) -> int | None:
    if cgroup is not None:
        return cgroup.memory_limit()
    given = _given().get("memory")
    return int(given) << 20 if isinstance(given, (int, float)) else None


def _cores(cgroup: Cgroup | None) -> float:
    affinity = getattr(os, "sched_getaffinity", None)
    count = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    quota = cgroup.cpu_limit() if cgroup is not None else None
    return min(count, quota) if quota else count


def _machine_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _disk() -> tuple[int, int | None]:
    """Return the bytes that are used and free where temporary files go; None where it can't say."""
    try:
        # What tempfile.gettempdir() would say, without the cost of importing tempfile.
        space = os.statvfs(os.environ.get("TMPDIR") or "/tmp")
    except OSError:
        return 0, None
    used = (space.f_blocks - space.f_bfree) * space.f_frsize
    return used, space.f_bavail * space.f_frsize or None
