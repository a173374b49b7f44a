"""The pod of a job definition on EKS.

https://docs.aws.amazon.com/batch/latest/APIReference/API_EksPodProperties.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.requests.container import PLACEHOLDER
from nbbatch.backends.aws.requests.images import default_image
from nbbatch.backends.aws.requests.linux import tmpfs_size
from nbbatch.backends.aws.requests.storage import mounts
from nbbatch.worker.boot.bootstrap import bootstrap_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbatch.backends.aws.requests.limits import Request
    from nbbatch.options import Options

#: The name of the one container, by which its overrides find it.
CONTAINER = "nbbatch"


def pod(options: Options) -> Request:
    """Build ``eksProperties``: all but what varies from job to job."""
    kept = list(_volumes(options))
    main: Request = {
        "name": CONTAINER,
        "image": options.image or default_image(options.python),
        "command": bootstrap_command(options.executable or "python"),
        "resources": quantities(*PLACEHOLDER),
        "securityContext": _security(options) or None,
        "volumeMounts": [mount for _, mounted in kept for mount in mounted] or None,
    }
    properties: Request = {
        "serviceAccountName": options.service_account,
        "containers": [{name: value for name, value in main.items() if value is not None}],
        "volumes": [volume for volume, _ in kept] or None,
    }
    return {"podProperties": {k: v for k, v in properties.items() if v is not None}}


def quantities(cpu: float, memory: int, gpu: int) -> Request:
    """Build ``resources`` in Kubernetes' units; `memory` in MiB.

    Limits and requests are the same: what was asked for is what there is.
    """
    wanted = {"cpu": f"{cpu:g}", "memory": f"{memory}Mi"}
    if gpu:
        wanted["nvidia.com/gpu"] = str(gpu)
    return {"limits": wanted, "requests": dict(wanted)}


def _security(options: Options) -> Request:
    user, _, group = (options.user or "").partition(":")
    found = {
        "runAsUser": int(user) if user else None,
        "runAsGroup": int(group) if group else None,
        "privileged": options.privileged or None,
        "readOnlyRootFilesystem": options.readonly_root,
    }
    return {name: value for name, value in found.items() if value is not None}


_Volume = tuple[dict[str, Any], list[dict[str, Any]]]


def _volumes(options: Options) -> Iterator[_Volume]:
    """Yield each volume with its mounts, under a name that Kubernetes takes."""
    size = tmpfs_size(options)
    if size is not None:
        yield _in_memory("tmpfs", size, options.tmpfs_path)
    if options.shared_memory:
        # A pod has no other way to say how large it is.
        yield _in_memory("shm", options.shared_memory, "/dev/shm")  # noqa: S108
    paths: dict[str, list[str]] = {}
    for mount in mounts(options):
        paths.setdefault(mount.source, []).append(mount.path)
    for number, (source, inside) in enumerate(paths.items()):
        name = f"volume-{number}"
        kind: Request = {"hostPath": {"path": source}} if source else {"emptyDir": {}}
        yield {"name": name, **kind}, [{"name": name, "mountPath": path} for path in inside]


def _in_memory(name: str, size: int, path: str) -> _Volume:
    volume = {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": f"{size}Mi"}}
    return volume, [{"name": name, "mountPath": path}]
