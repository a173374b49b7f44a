"""A process and all that it started: their memory and CPU time, where no control group tells."""

from __future__ import annotations

import os
from typing import NamedTuple

_PROC = "/proc"
#: utime, stime, cutime, cstime and rss, counted from the state: proc_pid_stat(5).
_TIMES, _RESIDENT = slice(11, 15), 21
_COLUMNS = "pid=,ppid=,rss=,time="


class Use(NamedTuple):
    """Bytes resident, and seconds of CPU time, that of ended children included."""

    memory: int
    cpu_seconds: float


def tree(pid: int) -> list[int]:
    """Return `pid` and its descendants."""
    found, left = [], [pid]
    while left:
        current = left.pop()
        found.append(current)
        left.extend(child for child in _children(current) if child not in found)
    return found


def use(pid: int) -> Use:
    """Return what `pid` and its descendants use together."""
    if not os.path.isdir(f"{_PROC}/self"):
        return _use_by_ps(pid)
    uses = [_one(each) for each in tree(pid)]
    return Use(sum(u.memory for u in uses), sum(u.cpu_seconds for u in uses))


def _children(pid: int) -> list[int]:
    result: list[int] = []
    try:
        for thread in os.listdir(f"{_PROC}/{pid}/task"):
            with open(f"{_PROC}/{pid}/task/{thread}/children", encoding="ascii") as file:
                result += map(int, file.read().split())
    except FileNotFoundError:
        # The process has ended; or the kernel was built without these files.
        if os.path.exists(f"{_PROC}/{pid}/stat") and not os.path.exists(
            f"{_PROC}/{os.getpid()}/task/{os.getpid()}/children"
        ):
            return _children_by_scan(pid)
    except OSError:
        pass
    return result


def _children_by_scan(pid: int) -> list[int]:
    pids = [int(name) for name in os.listdir(_PROC) if name.isdigit()]
    return [each for each in pids if _stat(each)[1:2] == [str(pid)]]


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's ``stat`` file from its state on; none if it has ended."""
    try:
        with open(f"{_PROC}/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name before may hold anything, brackets and spaces included.
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _one(pid: int) -> Use:
    fields = _stat(pid)
    if not fields:
        return Use(0, 0.0)
    ticks = sum(map(int, fields[_TIMES]))
    return Use(
        int(fields[_RESIDENT]) * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK")
    )


def _use_by_ps(pid: int) -> Use:
    import subprocess

    command = ["ps", "-A", "-o", _COLUMNS]
    try:
        text = subprocess.run(
            command, capture_output=True, text=True, timeout=5, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return Use(0, 0.0)
    return parsed(text, pid)


def parsed(text: str, pid: int) -> Use:
    """Add up what ``ps -o pid=,ppid=,rss=,time=`` says of `pid` and its descendants."""
    rows: dict[int, tuple[int, int, float]] = {}
    for words in map(str.split, text.splitlines()):
        if len(words) == _COLUMNS.count("="):
            rows[int(words[0])] = (int(words[1]), int(words[2]) * 1024, _seconds(words[3]))
    members, size = {pid}, 0
    while len(members) != size:
        size = len(members)
        members |= {each for each, row in rows.items() if row[0] in members}
    own = [rows[each] for each in members if each in rows]
    return Use(sum(row[1] for row in own), sum(row[2] for row in own))


def _seconds(text: str) -> float:
    """Read ``[[days-]hours:]minutes:seconds``."""
    days, _, rest = text.rpartition("-")
    total = 0.0
    for part in rest.split(":"):
        total = total * 60 + float(part)
    return total + 86400 * int(days or 0)
