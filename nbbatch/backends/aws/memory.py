"""More memory for a job that had too little of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbbatch.backends.aws.checks import nearest_fargate

if TYPE_CHECKING:
    from nbbatch.backends.aws.queues import Queue
    from nbbatch.options import Options


def larger(options: Options, queue: Queue) -> Options | None:
    """Double the memory; on Fargate as near to it as there is, with the vCPUs that go with it."""
    wanted = options.memory * 2
    if not queue.fargate:
        return replace(options, memory=wanted)
    cpu, memory = nearest_fargate(options.cpu, wanted)
    return replace(options, cpu=cpu, memory=memory) if memory > options.memory else None
