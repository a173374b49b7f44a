"""What an image is likely to hold, as its name, the options and the queue tell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nbbatch.backends.aws.doctor.pythons import parse, python_of
from nbbatch.backends.base import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbatch.options import Options

_MACHINES = {"X86_64": "x86_64", "ARM64": "aarch64"}


def target(options: Options, image: str, processors: Sequence[str]) -> Target:
    """Return where the code would run: the kernel's Python, where the name tells of no other.

    Parameters
    ----------
    image
        Its whole name.
    processors
        Those of the queue, as far as they are known.
    """
    named = parse(image)
    python = python_of(named) if named and not options.executable else ""
    slim = named.tag if named else ""
    processor = options.platform or next(iter(processors), "X86_64")
    # Somebody else's definition has an image of its own.
    name = f"job definition {options.job_definition}" if options.job_definition else image
    return Target(
        name=f"{name} {options.executable}" if options.executable else name,
        python=python or options.python or "{}.{}".format(*sys.version_info),
        machine=_MACHINES.get(processor, processor),
        libc="musl" if "alpine" in slim else "glibc",
    )
