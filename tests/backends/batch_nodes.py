"""Multi-node jobs of the Batch on this machine: a real process for each node.

https://docs.aws.amazon.com/batch/latest/userguide/multi-node-parallel-jobs.html
https://docs.aws.amazon.com/batch/latest/userguide/mnp-env-vars.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch_jobs import Job, Place

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from pathlib import Path

_INDEX = "AWS_BATCH_JOB_NODE_INDEX"
_ADDRESS = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"


class NodesJob(Job):
    """A multi-node job: it is its main node, which starts the others and stops them at its end.

    Attributes
    ----------
    others
        The other nodes of the last attempt, from node 1 on.
    """

    def __init__(
        self,
        place: Place,
        facts: dict[str, Any],
        environment: dict[str, str],
        after: Sequence[Job] = (),
    ) -> None:
        count = facts["nodeProperties"]["numNodes"]
        common = {"AWS_BATCH_JOB_NUM_NODES": str(count), "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0"}
        self._told = {**environment, **common}
        self._count = count
        self.others: list[_Node] = []
        super().__init__(place, facts, {**self._told, _INDEX: "0"}, after)

    def describe(self) -> dict[str, Any]:
        """Return the whole: it has no container of its own."""
        found = super().describe()
        del found["container"]
        return found

    def node(self, index: int) -> dict[str, Any] | None:
        """Return one node as DescribeJobs shows it."""
        if index > len(self.others):
            return None
        found = self.others[index - 1].describe() if index else super().describe()
        details = {"nodeIndex": index, "isMainNode": index == 0}
        return {**found, "jobId": f"{self.id}#{index}", "nodeDetails": details}

    def stop(self, reason: str) -> None:
        super().stop(reason)
        for node in self.others:
            node.stop(reason)

    def _start(self, folder: Path, number: int, output: Any) -> subprocess.Popen[bytes]:
        process = super()._start(folder, number, output)
        self.others = [self._node(index, number) for index in range(1, self._count)]
        for node in self.others:
            node.thread.start()
        return process

    def _node(self, index: int, number: int) -> _Node:
        facts = {**self._facts, "jobId": f"{self.id}#{index}", "attempts": []}
        facts["container"] = dict(self._facts["container"])
        told = {**self._told, _INDEX: str(index), _ADDRESS: "127.0.0.1"}
        return _Node(self._place, facts, told, number)

    def _attempt(self, number: int) -> tuple[int, str, bool]:
        ended = super()._attempt(number)
        for node in self.others:
            node.stop("The main node has ended")
        for node in self.others:
            node.thread.join()
        return ended


class _Node(Job):
    """One node in one attempt of its job."""

    def __init__(
        self, place: Place, facts: dict[str, Any], environment: dict[str, str], number: int
    ) -> None:
        super().__init__(place, facts, environment)
        self._number = number

    def _run(self) -> None:
        code, reason, stopped = self._attempt(self._number)
        self._end("FAILED" if code or stopped else "SUCCEEDED", reason)
