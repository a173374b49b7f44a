"""A job is submitted once, whatever the network does.

SubmitJob has no client token: sent again after an answer was lost, it would start a second job.
So it is sent again only when it was certainly not accepted, or when no job of its (unique) name
is there.
"""

from __future__ import annotations

import time
from collections import deque
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ConnectionError as VendorConnectionError
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
)

from nbbatch.backends.aws.errors import VENDOR, kind_of, status_of, translate
from nbbatch.backends.aws.pauses import backoff
from nbbatch.errors import (
    NbbatchError,
    ServiceError,
    ThrottledError,
    UncertainError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbbatch.backends.aws.clients import Clients

_TRIES = 8
#: Batch's list of jobs may lag behind SubmitJob.
_LOOKS = (0.5, 1.0, 2.0)
#: How often the list may not be had, each time after all tries of one call.
_TROUBLES = 3


class Fate(Enum):
    """What became of a request that ended in an error."""

    REFUSED = auto()
    NOT_ACCEPTED = auto()
    UNKNOWN = auto()


def fate(error: BaseException) -> Fate:
    """Tell whether a request that failed may have had an effect, and may be sent again."""
    if isinstance(error, (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)):
        return Fate.NOT_ACCEPTED
    if isinstance(error, (HTTPClientError, VendorConnectionError)):
        return Fate.UNKNOWN
    kind = kind_of(error)[0]
    if kind is ThrottledError:
        return Fate.NOT_ACCEPTED
    answered = status_of(error)
    # An answer that broke off, or can't be read.
    if not answered and kind in (UnreachableError, ServiceError):
        return Fate.UNKNOWN
    unsure = answered >= HTTPStatus.INTERNAL_SERVER_ERROR or answered == HTTPStatus.REQUEST_TIMEOUT
    return Fate.UNKNOWN if unsure else Fate.REFUSED


class Listed(NamedTuple):
    """A job as Batch lists it: its id, and when it was created."""

    id: str
    created_at: float


class Submitter:
    """Sends the two requests that are not idempotent.

    Parameters
    ----------
    sleep
        Waits between tries.
    """

    def __init__(self, clients: Clients, sleep: Callable[[float], None] = time.sleep) -> None:
        self._clients = clients
        self._sleep = sleep

    def submit(self, request: dict[str, Any]) -> str:
        """Submit a job and return Batch's id of it.

        Raises
        ------
        BackendError
            There is no such job; or, as `UnreachableError`, nobody can tell: the message says so.
        """
        name = request["jobName"]
        what = f"the job {name} was not submitted"
        for attempt in range(_TRIES):
            try:
                return self._clients.batch_once.submit_job(**request)["jobId"]
            except VENDOR as error:
                last: BaseException = error
            outcome = fate(last)
            if outcome is Fate.UNKNOWN:
                found = self._find(name, request["jobQueue"], last)
                if found:
                    return found
            if outcome is Fate.REFUSED:
                break
            if attempt < _TRIES - 1:
                self._sleep(backoff(attempt))
        raise translate(last, what) from last

    def register(self, request: dict[str, Any]) -> bool:
        """Register a job definition; tell whether Batch said that it is there now.

        Raises
        ------
        BackendError
            It was refused.
        """
        what = f"the job definition {request['jobDefinitionName']} was not registered"
        for attempt in range(_TRIES):
            try:
                self._clients.batch_once.register_job_definition(**request)
                return True
            except VENDOR as error:
                last: BaseException = error
            outcome = fate(last)
            if outcome is Fate.UNKNOWN:
                # The job that is submitted next will tell.
                return False
            if outcome is Fate.REFUSED:
                break
            if attempt < _TRIES - 1:
                self._sleep(backoff(attempt))
        raise translate(last, what) from last

    def _find(self, name: str, queue: str, error: BaseException) -> str | None:
        """Look for a job by its name; raise where that can't be done."""
        looks, troubles = deque(_LOOKS), 0
        while True:
            try:
                found = self.find(name, queue)
            except VENDOR as trouble:
                troubles += 1
                if troubles > _TROUBLES or fate(trouble) is Fate.REFUSED:
                    raise _unsure(name, error) from trouble
                pause = backoff(troubles)
            else:
                if found or not looks:
                    return found.id if found else None
                pause = looks.popleft()
            self._sleep(pause)

    def find(self, name: str, queue: str) -> Listed | None:
        """Return the job of that name, if there is one."""
        answer = self._clients.batch.list_jobs(
            jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [name]}]
        )
        found: list[Any] = [job for job in answer["jobSummaryList"] if job["jobName"] == name]
        return Listed(str(found[0]["jobId"]), found[0]["createdAt"] / 1000) if found else None


def _unsure(name: str, error: BaseException) -> NbbatchError:
    return UncertainError(
        f"it is not known whether the job {name} was submitted",
        f"{type(error).__name__}: {error}; and Batch's list of jobs can't be read either",
        "%batch attach finds it as soon as Batch can be asked; don't run it again before",
    )
