"""What a tree of processes uses of the memory that a container's limit would count.

That is anonymous and shared memory and what was swapped out; pages of mapped files can be
dropped at any time and don't count.
"""

from . import processes

_RESIDENT = (b"RssAnon:", b"RssShmem:", b"VmSwap:")
_SHARED_OUT = (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")


def used(root: int, without: "set[int]") -> "dict[int, int]":
    """Return the bytes of each process below `root`; shared pages count for each sharer."""
    pids = [pid for pid in processes.descendants(root) if pid not in without]
    return {pid: _resident(pid) for pid in pids}


def shared_out(pids: "list[int]") -> int:
    """Return the bytes of processes together, shared pages counted once; takes longer."""
    total = 0
    for pid in pids:
        lines = _lines(f"/proc/{pid}/smaps_rollup", _SHARED_OUT)
        # Linux before 5.4 has the last of the three alone. One that has ended since it was found
        # has nothing any more: what it had is with those that shared it, and counted there.
        total += sum(lines) if len(lines) == len(_SHARED_OUT) else _resident(pid)
    return total


def _resident(pid: int) -> int:
    return sum(_lines(f"/proc/{pid}/status", _RESIDENT))


def _lines(path: str, names: "tuple[bytes, ...]") -> "list[int]":
    try:
        lines = processes.read(path).splitlines()
    # It has ended, or is not ours to look into.
    except OSError:
        return []
    return [int(line.split()[1]) << 10 for line in lines if line.startswith(names)]
