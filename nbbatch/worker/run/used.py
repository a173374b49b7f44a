"""What one child of an array uses, told with its outcome: nobody has to read its story for it."""

from __future__ import annotations

import os
import sys
import time
from typing import Dict

#: What the peak of a process's memory is counted in.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Used:
    """Counts from now on."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._cpu = _cpu()

    def figures(self) -> Dict[str, float]:
        """Return the seconds since, the cores used on average, and the most memory so far.

        No memory where other processes took part: nobody has counted theirs.
        """
        seconds = time.monotonic() - self._started
        found = {
            "seconds": round(seconds, 6),
            "cpu": round((_cpu() - self._cpu) / max(seconds, 1e-6), 3),
        }
        if not _others():
            import resource

            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            found["memory"] = most * RSS_UNIT
        return found


def _cpu() -> float:
    return sum(os.times()[:4])


def _others() -> bool:
    """Tell whether this process has, or had, any of its own; where nobody can tell, it has."""
    if os.times().children_user or os.times().children_system:
        return True
    try:
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children", "rb") as file:
                if file.read().strip():
                    return True
    # Not on this system, or not told here; or a thread has just ended.
    except OSError:
        return sys.platform == "linux"
    return False
