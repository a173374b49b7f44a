"""Memory, devices and file systems in memory of a container on EC2; some of it on Fargate.

https://docs.aws.amazon.com/batch/latest/APIReference/API_LinuxParameters.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbatch.backends.aws.requests.limits import Request
    from nbbatch.options import Options


def linux_parameters(options: Options) -> Request:
    """Build ``linuxParameters``; empty where nothing is asked for."""
    found: Request = {
        "initProcessEnabled": options.init_process,
        "sharedMemorySize": options.shared_memory,
        "maxSwap": options.max_swap,
        "swappiness": options.swappiness,
        "devices": list(_devices(options)) or None,
    }
    size = tmpfs_size(options)
    if size is not None:
        mount = {"containerPath": options.tmpfs_path, "size": size, "mountOptions": ["defaults"]}
        found["tmpfs"] = [mount]
    return {name: value for name, value in found.items() if value is not None}


def tmpfs_size(options: Options) -> int | None:
    """Return the size in MiB of the file system in memory; None where there is none.

    A size alone turns it on, as in Metaflow; by default it is half of the job's memory.
    """
    if not (options.use_tmpfs or options.tmpfs_size):
        return None
    return options.tmpfs_size or max(options.memory // 2, 1)


def _devices(options: Options) -> Iterator[dict[str, Any]]:
    for number in range(options.inferentia or options.trainium or 0):
        path = f"/dev/neuron{number}"
        yield {"hostPath": path, "containerPath": path, "permissions": ["READ", "WRITE"]}
    for number in range(options.efa or 0):
        path = f"/dev/infiniband/uverbs{number}"
        # Of several nodes Batch wants all of it said; of one the defaults say the same.
        several = {"containerPath": path, "permissions": ["READ", "WRITE", "MKNOD"]}
        yield {"hostPath": path, **(several if options.nodes > 1 else {})}
