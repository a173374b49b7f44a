"""What other jobs leave, as a job's input refers to it: it stays in the store until it is read.

A value that stands for such a result (`Promised`) is pickled as a reference. Which jobs there are
is said in the sealed header of the input, each with the key that its outcome is sealed with: that
key is covered with a pad which only the job's own key gives, since a seal hides nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, NamedTuple, Optional, Protocol, Tuple

from nbbatch.errors import NotFoundError


class Upstream(NamedTuple):
    """A job whose result another one reads.

    Attributes
    ----------
    key
        What its outcome is sealed with, as `cover` writes it.
    label
        What people call it.
    kind
        As in `nbbatch.wire.spec.JobSpec`.
    nodes, children
        How many parts it has, of which each leaves an outcome; 1 and 0 where it is but one.
    """

    job: str
    key: str
    label: str
    kind: str
    nodes: int = 1
    children: int = 0

    @property
    def said(self) -> str:
        """Name it in a message."""
        return f"job {self.job} ({self.label})"


class Reference(NamedTuple):
    """A result of a job that is followed here.

    Attributes
    ----------
    job
        Whoever follows it; None where the value is here, as the only one of `fallback`.
    name
        The variable that is meant; None for all that it returns.
    fallback
        The value, in a tuple, where the job may turn out not to bind that variable.
    """

    job: Any
    name: Optional[str] = None
    fallback: Tuple[Any, ...] = ()


class Promised:
    """Stands for what a job leaves: as another job's input it travels as a reference."""

    def promised(self) -> Reference:
        """Return what it stands for."""
        raise NotImplementedError


class Reader(Protocol):
    """Reads results of other jobs, inside a job."""

    def value(self, job: str, name: Optional[str], *fallback: Any) -> Any:
        """Return a job's result, or one of its variables."""

    def future(self, job: str) -> Any:
        """Return what has the job's result."""


class Unbound:
    """Stands for a variable that no job has bound after all."""


#: Set where a job runs that refers to others.
reader: Optional[Reader] = None


def same(value: Any) -> Any:
    """Return a value that travels in the place of what stands for it."""
    return value


def value_of(job: str, name: Optional[str], *fallback: Any) -> Any:
    """Return what a reference stands for, where it is unpickled."""
    if reader is None:
        raise NotFoundError(
            f"a result of job {job} can't be read here",
            "it is referred to, and only a job that was given the reference may follow it",
            f"nbbatch.attach({job!r}).result()",
        )
    return reader.value(job, name, *fallback)


def future_of(job: str) -> Any:
    """Return what stands for a job: inside another one its result is there, here it is followed."""
    if reader is not None:
        return reader.future(job)
    import nbbatch

    return nbbatch.attach(job)


def cover(key: bytes, job: str, other: bytes) -> str:
    """Hide or show another job's key: who has this job's key can do both, and nobody else."""
    # A pad is used for one message only: the same job always has the same key.
    pad = hmac.new(key, b"upstream " + job.encode(), hashlib.sha256).digest()
    return bytes(a ^ b for a, b in zip(pad, other)).hex()


def uncover(key: bytes, job: str, covered: str) -> bytes:
    """Return the key that `cover` hid."""
    return bytes.fromhex(cover(key, job, bytes.fromhex(covered)))
