"""After which ends Batch starts another attempt.

https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.errors import OptionError
from nbbatch.wire.spec import EXIT_REFUSED

if TYPE_CHECKING:
    from nbbatch.backends.aws.queues import Queue
    from nbbatch.backends.aws.requests.limits import Request
    from nbbatch.options import Options

#: https://docs.aws.amazon.com/batch/latest/APIReference/API_RetryStrategy.html
_MOST_RULES = 5
#: What Batch, or the container's agent, says of an end: by condition, on ECS and on EKS.
_SAID = {
    "spot": [{"onStatusReason": "Host EC2*"}],
    "image": [{"onReason": "CannotPull*"}],
    "error": [{"onExitCode": "1"}],
}
_SAID_ON_FARGATE = {**_SAID, "spot": [{"onStatusReason": "Your Spot Task was interrupted*"}]}
_SAID_ON_EKS = {**_SAID, "image": [{"onReason": "ErrImagePull*"}, {"onReason": "ImagePullBack*"}]}
_OUT_OF_MEMORY, _OUT_OF_MEMORY_ON_EKS = "OutOfMemory*", "OOMKilled*"


def retry_strategy(options: Options, queue: Queue) -> Request:
    """Build ``retryStrategy``.

    Raises
    ------
    OptionError
        More conditions than Batch takes rules.
    """
    if not options.retries:
        return {"attempts": 1}
    rules = list(_rules(options.retry_on, queue))
    if len(rules) > _MOST_RULES:
        # One rule is the worker's own, and one ends all that was not named.
        raise OptionError(
            f"retry_on = {', '.join(options.retry_on or ())} can't be used",
            f"it takes {len(rules)} of the {_MOST_RULES} rules that AWS Batch has for a job",
            "name fewer conditions, or leave --retry-on out to try again after any failure",
        )
    return {"attempts": options.retries + 1, "evaluateOnExit": rules}


def _rules(conditions: tuple[str, ...] | None, queue: Queue) -> list[dict[str, str]]:
    """Return the rules in their order: the first that matches counts; with none it is RETRY."""
    # What the worker refuses, it would refuse again.
    rules = [{"onExitCode": str(EXIT_REFUSED), "action": "EXIT"}]
    if not conditions:
        return rules
    if "memory" in conditions:
        # An attempt of Batch's has the same memory again: the client submits the job anew, with
        # more of it.
        said = _OUT_OF_MEMORY_ON_EKS if queue.eks else _OUT_OF_MEMORY
        rules.append({"onReason": said, "action": "EXIT"})
    if "any" in conditions:
        return rules
    known = _SAID_ON_EKS if queue.eks else _SAID_ON_FARGATE if queue.fargate else _SAID
    for condition in conditions:
        if condition != "memory":
            signs = known.get(condition, [{"onExitCode": condition}])
            rules += [{**sign, "action": "RETRY"} for sign in signs]
    # Without a condition that tries again the last rule says all that the others say.
    last = {"onReason": "*", "action": "EXIT"}
    return [*rules, last] if any(rule["action"] == "RETRY" for rule in rules) else [last]
