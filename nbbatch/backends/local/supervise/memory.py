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
    return {pid: sum(_lines(f"/proc/{pid}/status", _RESIDENT)) for pid in pids}


def shared_out(each: "dict[int, int]") -> int:
    """Return the bytes of processes together, shared pages counted once; takes longer.

    `each` is what `used` said, taken where the kernel does not tell more.
    """
    total = 0
    for pid, resident in each.items():
        lines = _lines(f"/proc/{pid}/smaps_rollup", _SHARED_OUT)
        # Linux before 5.4 has the last of the three alone.
        total += sum(lines) if len(lines) == len(_SHARED_OUT) else resident
    return total


def _lines(path: str, names: "tuple[bytes, ...]") -> "list[int]":
    try:
        lines = processes.read(path).splitlines()
    # It has ended, or is not ours to look into.
    except OSError:
        return []
    return [int(line.split()[1]) << 10 for line in lines if line.startswith(names)]
