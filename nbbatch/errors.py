"""The errors of nbbatch, and how one shows in a notebook.

Every error has three parts: what failed and where, the cause, and what to type next::

    NbbatchError
    ├── UsageError            the request is wrong; nothing was sent
    │   ├── OptionError           an option's name, kind or range
    │   ├── CellError             the cell does not parse, or names what does not exist
    │   ├── NotPicklableError     a value can't travel: which one, and which part of it
    │   └── LibraryError          a library that the job needs can't be had for its image
    ├── ConfigurationError    a setting is missing or contradicts another
    ├── BackendError          the store or the runner refused or failed
    │   ├── CredentialsError      none found, expired or not accepted
    │   ├── AccessDeniedError     valid credentials without the permission
    │   ├── NotFoundError         a bucket, queue, role, job or object that does not exist
    │   ├── RegionError           the bucket lives in another region
    │   ├── InvalidRequestError   the service does not take the request as it is
    │   ├── LimitError            a quota or a size limit
    │   ├── ThrottledError        too many calls; tried again and given up
    │   ├── ConflictError         the resource is in a state that forbids the call
    │   ├── UnreachableError      no connection, or none in time
    │   │   └── UncertainError        and nobody can tell whether the job was started
    │   ├── StorageFullError      no room left where the objects go
    │   └── ServiceError          the service failed on its side
    ├── WireError             an object that this version can't read
    │   └── SealError             an object whose seal does not match: refused unread
    └── JobError              the job ended without the value that was asked for
        ├── RemoteError           the code raised, and its exception can't be rebuilt here
        ├── JobCancelledError     cancelled here or there
        ├── BrokenExecutorError   an executor can start no worker
        └── JobLostError          it died and could not say why itself
            ├── UpstreamError         another job has failed whose result it needs
            ├── OutOfMemoryError      killed for its memory
            ├── JobTimeoutError       ran longer than its timeout
            ├── SpotReclaimedError    the instance was taken away
            ├── ImageError            the image can't be pulled, or has no usable Python
            └── ProcessDiedError      exited or was killed by a signal

Catching `NbbatchError` catches them all; an exception that the user's own code raised in a
job comes back as itself.
"""

from __future__ import annotations

import errno
from concurrent.futures import BrokenExecutor, CancelledError
from pickle import PicklingError
from typing import Any

__all__ = [
    "AccessDeniedError",
    "BackendError",
    "BrokenExecutorError",
    "CellError",
    "ConfigurationError",
    "ConflictError",
    "CredentialsError",
    "ImageError",
    "InvalidRequestError",
    "JobCancelledError",
    "JobError",
    "JobLostError",
    "JobTimeoutError",
    "LibraryError",
    "LimitError",
    "NbbatchError",
    "NotFoundError",
    "NotPicklableError",
    "OptionError",
    "OutOfMemoryError",
    "ProcessDiedError",
    "RegionError",
    "RemoteError",
    "SealError",
    "ServiceError",
    "SpotReclaimedError",
    "StorageFullError",
    "ThrottledError",
    "UncertainError",
    "UnreachableError",
    "UpstreamError",
    "UsageError",
    "WireError",
]


class NbbatchError(Exception):
    """The root of the tree.

    Parameters
    ----------
    what
        What failed and where, one sentence.
    cause
        Why, as far as it is known.
    hint
        What to type or do next.
    """

    def __init__(self, what: str, cause: str = "", hint: str = "") -> None:
        super().__init__(what, cause, hint)
        self.what = what
        self.cause = cause
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.cause:
            lines.append(f"  cause: {self.cause}")
        if self.hint:
            lines.append(f"  next:  {self.hint}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """Give IPython the message alone: the frames above it are nbbatch's, not the user's."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(NbbatchError):
    """The request is wrong; nothing was sent."""


class OptionError(UsageError):
    """An option has an unknown name, or a value of the wrong kind or out of range."""


class CellError(UsageError):
    """The cell does not parse, or the line names a variable that does not exist."""


class NotPicklableError(UsageError, PicklingError):
    """A value can't travel; the message names the variable, its type and the part at fault."""


class LibraryError(UsageError):
    """A library that the job needs can't be had for its image, or does not fit what is there."""


class ConfigurationError(NbbatchError):
    """A setting is missing or contradicts another."""


class BackendError(NbbatchError):
    """The store or the runner refused or failed."""


class CredentialsError(BackendError):
    """No credentials were found, or they are expired or not accepted."""


class AccessDeniedError(BackendError):
    """The credentials are valid and lack the permission."""


class NotFoundError(BackendError):
    """A bucket, queue, role, job or object does not exist."""


class RegionError(BackendError):
    """The bucket lives in another region than the one configured."""


class InvalidRequestError(BackendError):
    """The service does not take the request as it is."""


class LimitError(BackendError):
    """A quota or a size limit of the service was reached."""


class ThrottledError(BackendError):
    """The service asked for fewer calls for longer than the client was willing to wait."""


class ConflictError(BackendError):
    """The resource is in a state that forbids the call."""


class UnreachableError(BackendError):
    """No connection to the service, or no answer in time."""


class UncertainError(UnreachableError):
    """The answer was lost, and nobody can tell for now whether the job was started."""


class StorageFullError(BackendError):
    """No room is left where the objects go."""


class ServiceError(BackendError):
    """The service failed on its own side."""


class WireError(NbbatchError):
    """A stored object can't be read by this version of nbbatch."""


class SealError(WireError):
    """A stored object was altered, or sealed with another key: it is refused unread."""


class JobError(NbbatchError):
    """The job ended without the value that was asked for."""


class RemoteError(JobError):
    """The code raised, and its exception can't be rebuilt in this process.

    Attributes
    ----------
    ename
        The exception's type as the job knew it, qualified.
    """

    ename: str = ""


class JobCancelledError(JobError, CancelledError):
    """The job was cancelled; also a `concurrent.futures.CancelledError`."""


class BrokenExecutorError(JobError, BrokenExecutor):
    """An executor can start no worker; also a `concurrent.futures.BrokenExecutor`."""


class JobLostError(JobError):
    """The job died and left no outcome; the message is the diagnosis."""


class UpstreamError(JobLostError):
    """Another job has failed, or left nothing, whose result the job needs."""


class OutOfMemoryError(JobLostError):
    """The job was killed because it used more memory than it had asked for."""


class JobTimeoutError(JobLostError):
    """The job ran longer than its timeout."""


class SpotReclaimedError(JobLostError):
    """The instance under the job was taken away."""


class ImageError(JobLostError):
    """The image can't be pulled, or holds no Python that can run the job."""


class ProcessDiedError(JobLostError):
    """The job's process exited by itself, or was killed by a signal."""


def as_error(error: BaseException, what: str, hint: str = "") -> NbbatchError:
    """Wrap an unforeseen exception, naming its type; `NbbatchError`s pass unchanged."""
    if isinstance(error, NbbatchError):
        return error
    return NbbatchError(what, f"{type(error).__name__}: {error}", hint)


def as_disk_error(error: OSError, what: str) -> BackendError:
    """Wrap what the operating system refuses in nbbatch's own directory."""
    cause = f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "make room there, or set NBBATCH_HOME to a directory on another disk"
        return StorageFullError(what, cause, hint)
    return BackendError(what, cause, "set NBBATCH_HOME to a directory of yours")


def stopped(text: str) -> KeyboardInterrupt:
    """Return the interruption of a person who pressed Stop; a notebook shows the text alone."""
    error: Any = KeyboardInterrupt(text)
    error._render_traceback_ = lambda: [f"KeyboardInterrupt: {text}"]
    found: KeyboardInterrupt = error
    return found


def describe_type(value: Any) -> str:
    """Name the type of `value` as a user would import it, builtins without their module."""
    kind = type(value)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
