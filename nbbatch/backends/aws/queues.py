"""Where the jobs of a queue run: asked once a day, remembered in between."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.errors import VENDOR, translated
from nbbatch.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbatch.backends.aws.cache import Cache
    from nbbatch.backends.aws.clients import Clients

_DAY = 86_400.0
_KIND = "queues"


@dataclass(frozen=True)
class Queue:
    """A queue that takes jobs.

    Attributes
    ----------
    name
        As it was asked for, a name or an ARN; its own name where none was asked for.
    platform
        Of its first compute environment: EC2, SPOT, FARGATE, FARGATE_SPOT or EKS.
    """

    name: str
    platform: str

    @property
    def fargate(self) -> bool:
        """Whether its jobs run on Fargate."""
        return self.platform.startswith("FARGATE")


class Queues:
    """Looks queues up; thread-safe."""

    def __init__(self, clients: Clients, cache: Cache) -> None:
        self._clients = clients
        self._cache = cache

    def known(self, name: str | None) -> Queue | None:
        """Return what is remembered of a queue; asks nobody."""
        found = self._cache.get(_KIND, name or "", _DAY)
        return Queue(**found) if found else None

    def get(self, name: str | None) -> Queue:
        """Return a queue, or the first usable one for None.

        Raises
        ------
        NotFoundError
            There is no such queue, or no usable one at all.
        ConflictError
            It is disabled or invalid.
        """
        found = self.known(name)
        if found is None:
            found = self._look_up(name)
            self._cache.set(_KIND, name or "", asdict(found))
        return found

    def forget(self, name: str | None) -> None:
        """Ask again next time."""
        self._cache.forget(_KIND, name or "")

    def _look_up(self, name: str | None) -> Queue:
        detail = self._named(name) if name else self._first()
        return Queue(name or detail["jobQueueName"], self._platform(detail))

    def _named(self, name: str) -> dict[str, Any]:
        with translated(f"can't look up the job queue {name}"):
            found: Any = self._clients.batch.describe_job_queues(jobQueues=[name])["jobQueues"]
        if not found:
            raise NotFoundError(
                f"AWS Batch job queue {name} not found",
                f"there is none of that name in {self._clients.region}",
                self._nearest(name),
            )
        detail: dict[str, Any] = found[0]
        if not _usable(detail):
            state = f"{detail.get('state')} and {detail.get('status')}"
            raise ConflictError(
                f"the job queue {name} takes no jobs",
                f"it is {state}: {detail.get('statusReason', 'no reason given')}",
                "--queue one that is ENABLED and VALID, or enable it in the AWS Batch console",
            )
        return detail

    def _first(self) -> dict[str, Any]:
        with translated("can't look for a job queue"):
            for detail in self._all():
                if _usable(detail):
                    return detail
        raise NotFoundError(
            "no job queue to send the job to",
            "none was specified, and no enabled and valid one was found in " + self._clients.region,
            "--queue NAME, or NBBATCH_QUEUE=NAME",
        )

    def _all(self) -> Iterator[dict[str, Any]]:
        pages: Any = self._clients.batch.get_paginator("describe_job_queues").paginate()
        for page in pages:
            yield from page["jobQueues"]

    def _nearest(self, name: str) -> str:
        try:
            names = [detail["jobQueueName"] for detail in self._all()]
        except VENDOR:
            names = []
        near = difflib.get_close_matches(name, names, 1)
        return f"did you mean --queue {near[0]}?" if near else "--queue NAME: " + _listed(names)

    def _platform(self, detail: dict[str, Any]) -> str:
        order = sorted(detail.get("computeEnvironmentOrder", ()), key=lambda item: item["order"])
        if not order:
            return str(detail.get("jobQueueType") or "no compute environment")
        first = order[0]["computeEnvironment"]
        with translated(f"can't look up the compute environment {first}"):
            answer: Any = self._clients.batch.describe_compute_environments(
                computeEnvironments=[first]
            )
        found = answer["computeEnvironments"]
        if found and found[0].get("containerOrchestrationType") == "EKS":
            return "EKS"
        # An unmanaged one has no resources of its own to tell; it is ECS on EC2.
        return str((found[0].get("computeResources") or {}).get("type", "EC2") if found else "EC2")


def _usable(detail: dict[str, Any]) -> bool:
    return detail.get("state") == "ENABLED" and detail.get("status", "VALID") == "VALID"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) if names else "aws batch describe-job-queues lists them"
