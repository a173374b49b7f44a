"""What this machine can give to a job, whatever the job asks for."""

from __future__ import annotations

import functools
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbbatch.options import IN_DEFINITION, Options

#: Where local jobs run, in a word.
HERE = "this machine"
VISIBLE = "CUDA_VISIBLE_DEVICES"
#: Options that mean nothing to a process; those that say where a job runs, and secrets, do.
_NOT_HERE = (
    *(set(IN_DEFINITION) - {"image", "iam_role", "execution_role", "secrets"}),
    *("share_identifier", "scheduling_priority", "parameters", "job_definition", "extra"),
)
_GPU = re.compile(r"nvidia([0-9]+)")


def gpus(environ: Mapping[str, str]) -> list[str]:
    """List the GPUs that this process may use, as CUDA names them."""
    if VISIBLE in environ:
        named = (name.strip() for name in environ[VISIBLE].split(","))
        return [name for name in named if name and not name.startswith("-")]
    found = filter(None, map(_GPU.fullmatch, os.listdir("/dev")))
    return [str(number) for number in sorted(int(match[1]) for match in found)]


def cores() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.lru_cache
def memory() -> int | None:
    """Return the machine's memory in MiB, where it tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (ValueError, OSError):
        return None


def limits_memory() -> bool:
    """Tell whether the supervisor can measure, and so limit, what a job uses."""
    return Path("/proc/self/status").exists()


def given(options: Options, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what a job gets of what it asks for."""
    facts = {
        "cpu": min(options.cpu, cores()),
        "gpu": min(options.gpu, len(gpus(environ))),
        "memory": min(options.memory, memory() or options.memory),
        "host": platform.node(),
        "platform": HERE,
    }
    if not limits_memory():
        facts["note"] = f"memory is not limited on {platform.system()}"
    ignored = [name for name in sorted(_NOT_HERE) if getattr(options, name)]
    if ignored:
        facts["not_applied"] = f"not applied here: {', '.join(ignored)}"
    return facts


def room(options: Options, environ: Mapping[str, str]) -> int:
    """Return how many jobs of that size fit on this machine at a time, by their CPUs and GPUs."""
    fit = int(cores() / options.cpu) if options.cpu else cores()
    if options.gpu:
        fit = min(fit, len(gpus(environ)) // options.gpu)
    return max(1, fit)


def visible(options: Options, environ: Mapping[str, str], at_once: int = 1) -> dict[str, str]:
    """Return the variable that gives a job its GPUs and no more, if it asks for any.

    Those of all nodes of a job, or of all children that run at once: its supervisor deals them out.
    """
    if not options.gpu:
        return {}
    return {VISIBLE: ",".join(gpus(environ)[: options.gpu * at_once])}
