"""A queue as it is at this moment; nothing is remembered, unlike in `queues`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.errors import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbatch.backends.aws.clients import Clients

Described = dict[str, Any]


class Places:
    """Looks at queues; thread-safe. Each question is one call.

    Raises
    ------
    BackendError
        AWS refused to answer, or did not.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def queue(self, name: str) -> Described:
        """Return a queue's entry in DescribeJobQueues; an empty one where there is no such."""
        with translated(f"can't look at the job queue {name}"):
            answer: Any = self._clients.batch.describe_job_queues(jobQueues=[name])
        return dict(next(iter(answer["jobQueues"]), {}))

    def environments(self, queue: Mapping[str, Any]) -> list[Described]:
        """Return a queue's compute environments, in its order, as Batch describes them."""
        order = sorted(queue.get("computeEnvironmentOrder", ()), key=lambda item: item["order"])
        names = [item["computeEnvironment"] for item in order]
        if not names:
            return []
        with translated(f"can't look at the compute environments of {queue['jobQueueName']}"):
            answer: Any = self._clients.batch.describe_compute_environments(
                computeEnvironments=names
            )
        # A queue may name them by their ARNs or by their names.
        found = {item["computeEnvironmentArn"]: item for item in answer["computeEnvironments"]}
        found.update({item["computeEnvironmentName"]: item for item in found.values()})
        return [found[name] for name in names if name in found]

    def front(self, queue: str) -> list[str]:
        """Return the ARNs of the first 100 RUNNABLE jobs of a queue, the next one first."""
        with translated(f"can't look into the job queue {queue}"):
            answer: Any = self._clients.batch.get_job_queue_snapshot(jobQueue=queue)
        return [job["jobArn"] for job in answer.get("frontOfQueue", {}).get("jobs", ())]
