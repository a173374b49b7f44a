"""Volumes, and where they are mounted; the names are those that Metaflow gives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbatch.options import Options

#: Temporary files of a job whose root file system can't be written.
SCRATCH, SCRATCH_PATH = "nbbatch_scratch", "/tmp"  # noqa: S108 a path in the container


class Mount(NamedTuple):
    """One volume at one path; several mounts may have the same volume.

    Attributes
    ----------
    kind
        ``"host"``, ``"efs"`` or ``"scratch"``.
    source
        A path of the host, the id of a file system, or ``""``.
    """

    volume: str
    kind: str
    source: str
    path: str


def mounts(options: Options) -> list[Mount]:
    """Return all that is mounted, the host's folders first."""
    found = list(_asked_for(options))
    taken = {mount.path.rstrip("/") for mount in found} | _in_memory(options)
    if options.readonly_root and SCRATCH_PATH not in taken:
        found.append(Mount(SCRATCH, "scratch", "", SCRATCH_PATH))
    return found


def volumes(found: list[Mount]) -> list[dict[str, Any]]:
    """Build ``volumes`` of a container on ECS: each once."""
    return [
        {"name": volume, **_volume(kind, source)}
        for volume, kind, source in dict.fromkeys(mount[:3] for mount in found)
    ]


def mount_points(found: list[Mount]) -> list[dict[str, Any]]:
    """Build ``mountPoints`` of a container on ECS."""
    return [{"sourceVolume": mount.volume, "containerPath": mount.path} for mount in found]


def _asked_for(options: Options) -> Iterator[Mount]:
    names: dict[str, str] = {}
    for source, path in options.host_volumes or ():
        yield Mount(_name(source, names), "host", source, path)
    for source, path in options.efs_volumes or ():
        yield Mount(f"efs_{source}", "efs", source, path)


def _name(source: str, names: dict[str, str]) -> str:
    """Name a folder's volume: ``/`` and ``.`` become ``_``; two folders never share a name."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", source)[:250]
    name, number = plain, 2
    while names.setdefault(name, source) != source:
        name, number = f"{plain}-{number}", number + 1
    return name


def _volume(kind: str, source: str) -> dict[str, Any]:
    if kind == "efs":
        # Nothing travels through the network in the clear.
        settings = {"fileSystemId": source, "transitEncryption": "ENABLED"}
        return {"efsVolumeConfiguration": settings}
    # Without a path the host makes an empty folder for as long as the job lives.
    return {"host": {"sourcePath": source} if source else {}}


def _in_memory(options: Options) -> set[str]:
    return {options.tmpfs_path.rstrip("/")} if options.use_tmpfs or options.tmpfs_size else set()
