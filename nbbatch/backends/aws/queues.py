"""Where the jobs of a queue run: asked once a day, remembered in between."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws import environments
from nbbatch.backends.aws.errors import VENDOR, translated
from nbbatch.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbatch.backends.aws.cache import Cache
    from nbbatch.backends.aws.clients import Clients

_DAY = 86_400.0
#: The number changes with the fields of `Queue`.
_KIND = "queues 2"


@dataclass(frozen=True)
class Queue:
    """A queue that takes jobs.

    Attributes
    ----------
    name
        As it was asked for, a name or an ARN; its own name where none was asked for.
    platform
        Of its first compute environment in use: EC2, SPOT, FARGATE, FARGATE_SPOT or EKS.
    platforms
        Of all of them, in the order in which Batch tries them. Batch mixes on-demand and Spot in
        one queue, and nothing else.
    vcpus
        The most that one of them may have at a time; None where it is not known.
    processors
        X86_64 or ARM64, as far as the environments tell.
    fair_share
        Whether it has a scheduling policy, so that share identifiers and priorities count.
    arn
        Its own.
    """

    name: str
    platform: str
    platforms: tuple[str, ...] = ()
    vcpus: int | None = None
    processors: tuple[str, ...] = ()
    fair_share: bool | None = None
    arn: str = ""

    @property
    def fargate(self) -> bool:
        """Whether its jobs run on Fargate."""
        return self.platform.startswith("FARGATE")

    @property
    def eks(self) -> bool:
        """Whether its jobs are pods."""
        return self.platform == "EKS"

    @property
    def partition(self) -> str:
        """AWS's own part of the world, as ARNs name it."""
        return self._part(1) or "aws"

    @property
    def region(self) -> str:
        """Where it is; ``""`` where its ARN is not known, as for `account`."""
        return self._part(3)

    @property
    def account(self) -> str:
        """Whose it is."""
        return self._part(4)

    def _part(self, number: int) -> str:
        parts = self.arn.split(":")
        return parts[number] if len(parts) > number else ""


class Queues:
    """Looks queues up; thread-safe."""

    def __init__(self, clients: Clients, cache: Cache) -> None:
        self._clients = clients
        self._cache = cache

    def known(self, name: str | None) -> Queue | None:
        """Return what is remembered of a queue; asks nobody."""
        found = self._cache.get(_KIND, name or "", _DAY)
        if not found:
            return None
        lists = {k: tuple(v) for k, v in found.items() if isinstance(v, list)}
        return Queue(**{**found, **lists})

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
        used = environments.facts(detail, self._environments(detail))
        return Queue(
            name=name or detail["jobQueueName"],
            platform=used.platforms[0],
            platforms=used.platforms,
            vcpus=used.vcpus,
            processors=used.processors,
            fair_share=bool(detail.get("schedulingPolicyArn")),
            arn=detail.get("jobQueueArn", ""),
        )

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

    def _environments(self, detail: dict[str, Any]) -> list[dict[str, Any]]:
        names = [item["computeEnvironment"] for item in detail.get("computeEnvironmentOrder", ())]
        if not names:
            return []
        with translated(f"can't look up the compute environments of {detail['jobQueueName']}"):
            answer: Any = self._clients.batch.describe_compute_environments(
                computeEnvironments=names
            )
        return list(answer["computeEnvironments"])


def _usable(detail: dict[str, Any]) -> bool:
    return detail.get("state") == "ENABLED" and detail.get("status", "VALID") == "VALID"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) if names else "aws batch describe-job-queues lists them"
