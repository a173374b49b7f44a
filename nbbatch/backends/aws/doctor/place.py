"""The queue and its compute environments: whether they take jobs, and these jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws import families
from nbbatch.backends.aws.doctor.findings import ok
from nbbatch.backends.aws.environments import platform
from nbbatch.backends.aws.fitting import misfit, need_of
from nbbatch.backends.aws.instances import Instances
from nbbatch.backends.aws.places import Places
from nbbatch.facts import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbbatch.backends.aws.doctor.findings import Looking
    from nbbatch.backends.aws.doctor.subject import Subject
    from nbbatch.backends.aws.fitting import Misfit

Environments = list[dict[str, Any]]


def look(subject: Subject) -> Looking[Environments]:
    """Look at the queue and at each of its compute environments; return these."""
    places = Places(subject.clients)
    queue = _queue(subject, places)
    yield queue_finding(queue, chosen=not subject.options.queue)
    environments = places.environments(queue)
    if not environments:
        yield _empty(queue)
        return []
    instances = Instances(subject.clients, subject.runner.cache)
    known = [instances.largest(families.named(item)) for item in environments]
    need = need_of(subject.options)
    problems = [misfit(need, *pair) for pair in zip(environments, known, strict=True)]
    for environment, problem in zip(environments, problems, strict=True):
        yield environment_finding(environment, problem, others=None in problems)
    yield from _unsized(environments, known)
    return environments


def _queue(subject: Subject, places: Places) -> dict[str, Any]:
    queues, name = subject.runner.queues, subject.options.queue
    # What was true yesterday is what one doubts when one calls a doctor.
    queues.forget(name)
    found = places.queue(name or queues.get(None).name)
    # It is the lookup of a job's own queue that knows the nearest name.
    return found or places.queue(queues.get(name).name)


def queue_finding(queue: Mapping[str, Any], *, chosen: bool = False) -> Finding:
    """Judge an entry of DescribeJobQueues; `chosen` where nobody has named it."""
    name, state, status = queue["jobQueueName"], queue.get("state"), queue.get("status", "VALID")
    if state == "ENABLED" and status == "VALID":
        why = " (none was named: the first that takes jobs)" if chosen else ""
        return ok("queue", f"{name} is ENABLED and VALID{why}")
    said = queue.get("statusReason") or "it refuses jobs, and AWS Batch does not say why"
    hint = "--queue another, or have it corrected in AWS Batch's console"
    if state != "ENABLED":
        hint = f"aws batch update-job-queue --job-queue {name} --state ENABLED, or --queue another"
    return Finding("queue", Verdict.WRONG, f"{name} is {state} and {status}", said, hint)


def _empty(queue: Mapping[str, Any]) -> Finding:
    name = queue["jobQueueName"]
    return Finding(
        "environments",
        Verdict.WRONG,
        f"{name} has no compute environment that exists",
        f"its type is {queue.get('jobQueueType', 'not told')}; jobs need ECS, Fargate or EKS",
        "--queue another",
    )


def environment_finding(
    environment: Mapping[str, Any], problem: Misfit | None, *, others: bool
) -> Finding:
    """Judge a compute environment; `others` tells whether another one can take the jobs."""
    name = "environment"
    found = _described(environment)
    if problem:
        verdict = Verdict.WARNING if others else Verdict.WRONG
        return Finding(name, verdict, found, problem.cause, problem.hint)
    status = environment.get("status", "VALID")
    if status != "VALID":
        said = environment.get("statusReason") or "AWS Batch is at it"
        return Finding(name, Verdict.WARNING, found, said, "wait until it is VALID, and ask again")
    return ok(name, found)


def _described(environment: Mapping[str, Any]) -> str:
    resources = environment.get("computeResources") or {}
    state, status = environment.get("state"), environment.get("status", "VALID")
    said = [f"{environment['computeEnvironmentName']}: {platform(environment)}"]
    said.append(f"{state} and {status}")
    if "maxvCpus" in resources:
        used = resources.get("desiredvCpus")
        now = f" ({used} now)" if used is not None else ""
        said.append(f"at most {resources['maxvCpus']} vCPUs{now}")
    if resources.get("instanceTypes"):
        said.append(" ".join(resources["instanceTypes"]))
    return ", ".join(said)


def _unsized(environments: Environments, known: Sequence[Any]) -> Iterator[Finding]:
    names = [
        environment["computeEnvironmentName"]
        for environment, types in zip(environments, known, strict=True)
        if families.named(environment) and not types
    ]
    if not names:
        return
    yield Finding(
        "instances",
        Verdict.SKIPPED,
        f"what the instances of {' and '.join(names)} have can't be told",
        "EC2 did not answer ec2:DescribeInstanceTypes, or knows no such type here",
        "nothing, where jobs run; AWS Batch itself sees to it that they fit",
    )
