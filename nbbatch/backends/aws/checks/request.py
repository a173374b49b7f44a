"""What no queue could honour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.backends.aws.checks.saying import refusal
from nbbatch.backends.aws.requests.storage import mounts
from nbbatch.backends.aws.requests.submission import tags
from nbbatch.errors import OptionError

if TYPE_CHECKING:
    from nbbatch.options import Options

#: The least memory in MiB that the container runtime takes.
_LEAST_MEMORY = 4
_MOST_TAGS = 50


def check_request(options: Options) -> None:
    """Refuse what no queue could honour.

    Raises
    ------
    OptionError
        A value that Batch does not take, and the nearest that it does.
    """
    if options.memory < _LEAST_MEMORY:
        cause = f"AWS Batch takes no less than {_LEAST_MEMORY} MiB"
        raise refusal(options, "memory", cause, f"--memory {_LEAST_MEMORY}")
    if options.swappiness is not None and options.max_swap is None:
        cause = "AWS Batch ignores it where max_swap does not say how much may be swapped"
        raise refusal(options, "swappiness", cause, "--max-swap 2048, or leave --swappiness out")
    _check_tags(options)
    _check_mounts(options)


def _check_tags(options: Options) -> None:
    found = tags(options)
    if len(found) > _MOST_TAGS:
        raise OptionError(
            "tags and aws_batch_tags can't be used together as they are",
            f"they are {len(found)} tags, and AWS Batch takes {_MOST_TAGS}",
            "leave some out; %batch config shows those of the configuration",
        )


def _check_mounts(options: Options) -> None:
    paths = [mount.path.rstrip("/") for mount in mounts(options)]
    if options.use_tmpfs or options.tmpfs_size:
        paths.append(options.tmpfs_path.rstrip("/"))
    for path in paths:
        if paths.count(path) > 1:
            raise OptionError(
                f"two things can't be mounted at {path}",
                "host_volumes, efs_volumes and tmpfs_path say where",
                "another path in the container, for example --host-volumes /data:/mnt/data",
            )
