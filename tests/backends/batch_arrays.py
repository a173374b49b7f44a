"""Array jobs of the Batch on this machine: each child is a job of its own.

https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from batch_jobs import Job, Place, _now

if TYPE_CHECKING:
    from collections.abc import Sequence

_STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
#: Children that ListJobs returns with one call.
PAGE = 100


class ArrayJob(Job):
    """An array: it has no container, is PENDING while any child lives, and says how many do what.

    Attributes
    ----------
    children
        In their order, once it has spawned them.
    """

    #: Children that run at a time, as many as the machine that runs the tests can bear.
    at_once = 4

    def __init__(
        self,
        place: Place,
        facts: dict[str, Any],
        environment: dict[str, str],
        after: Sequence[Job] = (),
    ) -> None:
        super().__init__(place, facts, environment, after)
        self.children: list[_Child] = []
        self._turn = threading.BoundedSemaphore(self.at_once)

    def describe(self) -> dict[str, Any]:
        """Return the whole, with its summary."""
        found = super().describe()
        del found["container"]
        counts = Counter(child.status for child in self.children)
        size = found["arrayProperties"]["size"]
        summary = {state: counts[state] for state in _STATES} if self.children else {}
        found["arrayProperties"] = {"size": size, "statusSummary": summary}
        return found

    def listed(self, status: str) -> list[dict[str, Any]]:
        """Return the children in a state as ListJobs shows them."""
        shown = ("jobId", "jobName", "jobArn", "status", "createdAt", "startedAt", "stoppedAt")
        found = []
        for child in self.children:
            facts = child.describe()
            if facts["status"] == status:
                container = {k: facts["container"].get(k) for k in ("exitCode", "reason")}
                own = {k: facts[k] for k in (*shown, "statusReason") if k in facts}
                found.append({**own, "container": {k: v for k, v in container.items() if v}})
        return found

    def stop(self, reason: str) -> None:
        super().stop(reason)
        for child in self.children:
            child.stop(reason)

    def _run(self) -> None:
        if not self._may_start():
            return
        size = self._facts["arrayProperties"]["size"]
        self._become("PENDING")
        self.children = [self._child(index) for index in range(size)]
        if self._stop_reason:
            self.stop(self._stop_reason)
        for child in self.children:
            child.thread.start()
        for child in self.children:
            child.thread.join()
        if any(child.status == "FAILED" for child in self.children):
            self._end("FAILED", self._stop_reason or "Array Child Job failed")
        else:
            self._end("SUCCEEDED", "Array Child Jobs succeeded")

    def _child(self, index: int) -> _Child:
        facts = {**self._facts, "jobId": f"{self.id}:{index}", "attempts": []}
        facts["container"] = dict(self._facts["container"])
        facts["jobArn"] += f":{index}"
        facts["arrayProperties"] = {"index": index}
        size = str(self._facts["arrayProperties"]["size"])
        told = {"AWS_BATCH_JOB_ARRAY_INDEX": str(index), "AWS_BATCH_JOB_ARRAY_SIZE": size}
        return _Child(self._place, facts, {**self._environment, **told}, self._turn)


class _Child(Job):
    def __init__(
        self,
        place: Place,
        facts: dict[str, Any],
        environment: dict[str, str],
        turn: threading.BoundedSemaphore,
    ) -> None:
        super().__init__(place, {**facts, "createdAt": _now()}, environment)
        self._turn = turn

    def _run(self) -> None:
        self._become("RUNNABLE")
        while not self._turn.acquire(blocking=False):
            if self._stop_reason:
                self._end("FAILED", self._stop_reason)
                return
            time.sleep(0.02)
        try:
            super()._run()
        finally:
            self._turn.release()
