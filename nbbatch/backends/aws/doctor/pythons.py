"""What the name of an image tells: its registry, and the Python in it. Pure functions.

https://github.com/distribution/reference has the grammar of such names.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from nbbatch.backends.aws.doctor.findings import ok
from nbbatch.facts import Finding, Verdict

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9-]+(?::[0-9]+)?"
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:(?P<registry>(?=[^/]*[.:]|localhost/){_HOST})/)?(?P<repository>{_PATH}(?:/{_PATH})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z0-9_+.-]+:[0-9a-fA-F]{32,}))?"
)
_ECR = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(?:amazonaws\.com(?:\.cn)?|on\.aws)"
)
_VERSION = re.compile(r"(?:py(?:thon)?-?)?(3)\.?([0-9]{1,2})(?![0-9])(?:\.[0-9]+)?(?:[-.].*)?")
_TAGGED = re.compile(r"(?:^|[-_.])py(?:thon)?-?3\.?([0-9]{1,2})(?![0-9])")


class Image(NamedTuple):
    """The parts of an image's name."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def ecr(self) -> re.Match[str] | None:
        """Account and region of its private registry in ECR, None where it is elsewhere."""
        return _ECR.fullmatch(self.registry)


def parse(name: str) -> Image | None:
    """Take an image's name apart; None where it is none."""
    match = _IMAGE.fullmatch(name)
    if match is None:
        return None
    registry, repository, tag, digest = (part or "" for part in match.groups())
    return Image(registry or "docker.io", repository, tag or ("" if digest else "latest"), digest)


def python_of(image: Image) -> str:
    """Return the Python that a name promises, as ``3.11``; ``""`` where it promises none."""
    if image.repository.rpartition("/")[2] == "python":
        match = _VERSION.fullmatch(image.tag)
        return f"3.{match[2]}" if match else ""
    match = _TAGGED.search(image.tag)
    return f"3.{match[1]}" if match else ""


def python_finding(name: str, there: str, here: str, executable: str | None) -> Finding:
    """Judge the Python of an image, ``""`` for unknown, against the kernel's own."""
    if executable or not there:
        which = f"{executable} in {name}" if executable else name
        return Finding(
            "python",
            Verdict.SKIPPED,
            f"which Python {which} has can't be told",
            "a job looks before it does anything, and says which image to take if it does not fit",
            f"nothing; or --image python:{here}, which fits this kernel",
        )
    if there == here:
        return ok("python", f"{name} has Python {there}, as this kernel")
    minor = int(there.partition(".")[2])
    old = minor < 9
    return Finding(
        "python",
        Verdict.WRONG if old else Verdict.WARNING,
        f"{name} has Python {there}, this kernel {here}",
        "jobs need Python 3.9 or newer"
        if old
        else "cells run there; functions, and values that hold functions or classes, do not travel",
        f"--image python:{here}",
    )
