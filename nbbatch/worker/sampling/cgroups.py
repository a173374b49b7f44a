"""What the container's own control group says of its use and limits; version 1 and 2.

A figure that is not there is None: nothing here raises.
"""

from __future__ import annotations

import os

ROOT = "/sys/fs/cgroup"
#: Version 1 writes "no limit" as the largest number of pages.
_UNLIMITED = 1 << 60


class Cgroup:
    """The control group under `root`, as a container sees it."""

    def __init__(self, root: str = ROOT) -> None:
        self._v2 = os.path.exists(f"{root}/cgroup.controllers")
        self._memory = root if self._v2 else f"{root}/memory"
        self._cpu = root if self._v2 else f"{root}/cpu"
        self._cpuacct = root if self._v2 else f"{root}/cpuacct"

    def memory_limit(self) -> int | None:
        """Return the limit in bytes; None where there is none."""
        name = "memory.max" if self._v2 else "memory.limit_in_bytes"
        limit = _number(f"{self._memory}/{name}")
        return limit if limit is not None and limit < _UNLIMITED else None

    def memory(self) -> int | None:
        """Return the memory in use, without the file cache that the kernel can drop."""
        name = "memory.current" if self._v2 else "memory.usage_in_bytes"
        used = _number(f"{self._memory}/{name}")
        cache = "inactive_file" if self._v2 else "total_inactive_file"
        if used is None:
            return None
        return max(0, used - table(f"{self._memory}/memory.stat").get(cache, 0))

    def cpu_seconds(self) -> float | None:
        """Return the CPU time used so far."""
        if self._v2:
            micro = table(f"{self._cpu}/cpu.stat").get("usage_usec")
            return micro / 1e6 if micro is not None else None
        nano = _number(f"{self._cpuacct}/cpuacct.usage")
        return nano / 1e9 if nano is not None else None

    def cpu_limit(self) -> float | None:
        """Return the cores that may be used at once; None where there is no limit."""
        if self._v2:
            quota, _, period = _text(f"{self._cpu}/cpu.max").partition(" ")
        else:
            quota = _text(f"{self._cpu}/cpu.cfs_quota_us")
            period = _text(f"{self._cpu}/cpu.cfs_period_us")
        if not quota.isdigit() or not period.isdigit():
            return None
        return int(quota) / int(period)

    def oom_kills(self) -> int | None:
        """Return how many processes were killed because the limit was reached."""
        name = "memory.events" if self._v2 else "memory.oom_control"
        return table(f"{self._memory}/{name}").get("oom_kill")


def table(path: str) -> dict[str, int]:
    """Read a file of names and numbers, one pair a line."""
    pairs = (line.partition(" ") for line in _text(path).splitlines())
    return {name: int(number) for name, _, number in pairs if number.isdigit()}


def _number(path: str) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
