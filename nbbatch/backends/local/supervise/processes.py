"""Finding and ending processes, through ``/proc`` where there is one."""

import os
import time

SIGKILL = 9
SIGTERM = 15
#: Seconds after which processes that SIGKILL can't end (a dead network disk) are left alone.
PATIENCE = 5.0


def adopt_orphans() -> None:
    """Become the parent of every orphan below this process, so that none is lost; Linux only.

    https://man7.org/linux/man-pages/man2/pr_set_child_subreaper.2const.html
    """
    if not os.path.isdir("/proc/self"):
        return
    try:
        # What `ctypes` is made of, which itself takes much longer to load.
        import _ctypes

        itself = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
        _ctypes.call_function(_ctypes.dlsym(itself, "prctl"), (36, 1, 0, 0, 0))
    except (ImportError, OSError, AttributeError):
        pass


def descendants(root: int) -> "list[int]":
    """List the processes below `root`, whatever session they belong to."""
    table = None if _lists_children() else _parents()
    found: list[int] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        below = _children(pid) if table is None else [p for p, up in table.items() if up == pid]
        found += below
        waiting += below
    return found


def _lists_children() -> bool:
    # Only kernels built with CONFIG_PROC_CHILDREN have it.
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def _children(pid: int) -> "list[int]":
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, read(f"/proc/{pid}/task/{task}/children").split())
    except OSError:
        pass
    return found


def _parents() -> "dict[int, int]":
    return {pid: int(fields[1]) for pid, fields in _all_processes()}


def _all_processes() -> "list[tuple[int, list[bytes]]]":
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [(pid, fields) for pid in pids for fields in [stat(pid)] if fields]


def read(path: str) -> bytes:
    """Read a small file of ``/proc`` whole."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = piece = os.read(file, 65536)
        while piece:
            piece = os.read(file, 65536)
            data += piece
    finally:
        os.close(file)
    return data


def stat(pid: int) -> "list[bytes]":
    """Return the fields of ``/proc/PID/stat`` from the state on; none where there is no process.

    The parent is field 1, the session 3, the start time 19.
    """
    try:
        return read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return []


def started(pid: int) -> str:
    """Return when a process started, so that another one of the same number is told apart."""
    fields = stat(pid)
    return fields[19].decode() if fields else ""


def exists(pid: "int | None") -> bool:
    """Tell whether there is a process of that number."""
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def send(pid: int, number: int) -> None:
    """Signal a process; one that is gone or not ours is passed over."""
    try:
        os.kill(pid, number)
    except OSError:
        pass


def send_group(pgid: int, number: int) -> None:
    """Signal a process group; one that is gone is passed over."""
    try:
        os.killpg(pgid, number)
    except OSError:
        pass


def kill_below(root: int, group: int) -> int:
    """Kill everything below `root` and in `group`, and return how many processes that were."""
    send_group(group, SIGKILL)
    below = descendants(root)
    for pid in below:
        send(pid, SIGKILL)
    return len(below)


def end_below(root: int, group: int) -> None:
    """Kill and collect everything below `root` and in `group`, again until nothing is left."""
    patience = time.monotonic() + PATIENCE
    while kill_below(root, group) and time.monotonic() < patience:
        reap()
        time.sleep(0.002)


def end_session(leader: int, leader_started: str) -> None:
    """Kill a session whose leader was once seen to start at `leader_started`."""
    if leader_started and started(leader) not in ("", leader_started):
        return
    for pid, fields in _all_processes():
        if int(fields[3]) == leader:
            send(pid, SIGKILL)


def reap() -> "dict[int, int]":
    """Collect the children that have ended: their wait statuses by their numbers."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended[pid] = status
