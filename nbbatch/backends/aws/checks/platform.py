"""What this queue's platform can't honour."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbbatch.backends.aws.checks.fargate import FARGATE, nearest_fargate
from nbbatch.backends.aws.checks.meaningless import ON_EC2, ON_EKS, ON_FARGATE
from nbbatch.backends.aws.checks.saying import asked, check_role, flag, refusal
from nbbatch.errors import ConfigurationError, OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbatch.backends.aws.queues import Queue
    from nbbatch.options import Options

#: https://docs.aws.amazon.com/batch/latest/APIReference/API_LogConfiguration.html
_FARGATE_LOGS = ("awslogs", "splunk")
_POD_USER = re.compile(r"[0-9]{1,9}(:[0-9]{1,9})?")
#: Of a vCPU, on EKS.
_QUARTERS = 4


def check_platform(options: Options, queue: Queue) -> None:
    """Refuse what this queue's platform can't honour.

    Raises
    ------
    OptionError
        A value that the platform does not take, and the nearest that it does.
    ConfigurationError
        A role that must be there and is not.
    """
    if queue.eks:
        _check_eks(options, queue)
    elif queue.fargate:
        _check_fargate(options, queue)
    elif queue.platform in ("EC2", "SPOT"):
        _check_ec2(options, queue)
    else:
        raise OptionError(
            f"queue = {queue.name!r} can't be used",
            f"its jobs run on {queue.platform}; nbbatch runs on EC2, Fargate and EKS",
            "--queue NAME of a queue with such compute environments",
        )
    _check_share(options, queue)
    _check_size(options, queue)
    _check_processor(options, queue)


def _on(queue: Queue, what: str) -> str:
    return f"the queue {queue.name} runs on {what}"


def _refuse(options: Options, queue: Queue, what: str, why: Mapping[str, str]) -> None:
    for name in asked(options, why):
        cause = f"{_on(queue, what)}, {why[name]}"
        hint = f"leave out {flag(name)}, or --queue NAME of another kind of queue"
        raise refusal(options, name, cause, hint)


def _check_capability(options: Options, queue: Queue, what: str, wanted: str) -> None:
    if options.platform_capabilities not in (None, wanted):
        hint = "leave --platform-capabilities out: the queue says it"
        raise refusal(options, "platform_capabilities", _on(queue, what), hint)


def _check_ec2(options: Options, queue: Queue) -> None:
    _check_capability(options, queue, "EC2", "EC2")
    _refuse(options, queue, "EC2", ON_EC2)
    _check_job_role(options)
    if options.secrets:
        _check_execution_role(options, "secrets are read with that role")
    if options.cpu != int(options.cpu):
        cause = f"{_on(queue, 'EC2')}, where Batch takes whole vCPUs only"
        raise refusal(options, "cpu", cause, f"--cpu {int(options.cpu) + 1}")
    if options.nodes > 1 and set(queue.platforms) == {"SPOT"}:
        cause = f"{_on(queue, 'Spot instances')} alone, where Batch has no multi-node jobs"
        hint = "--queue NAME of a queue with on-demand instances"
        raise refusal(options, "nodes", cause, hint)


def _check_fargate(options: Options, queue: Queue) -> None:
    _check_capability(options, queue, "Fargate", "FARGATE")
    _refuse(options, queue, "Fargate", ON_FARGATE)
    _check_job_role(options)
    if not options.job_definition:
        why = f"the queue {queue.name} runs on Fargate, which pulls the image with that role"
        _check_execution_role(options, why)
    if options.log_driver not in (None, *_FARGATE_LOGS):
        cause = f"{_on(queue, 'Fargate')}, which has {' and '.join(_FARGATE_LOGS)}"
        raise refusal(options, "log_driver", cause, "--log-driver awslogs")
    if options.memory not in FARGATE.get(options.cpu, ()):
        cpu, memory = nearest_fargate(options.cpu, options.memory)
        raise OptionError(
            f"cpu = {options.cpu:g} with memory = {options.memory} can't be used in the queue "
            f"{queue.name}",
            "it runs on Fargate, which has fixed pairs of the two",
            f"--cpu {cpu:g} --memory {memory}",
        )


def _check_eks(options: Options, queue: Queue) -> None:
    # Its nodes are instances, and Flyte's default says so.
    _check_capability(options, queue, "EKS", "EC2")
    _refuse(options, queue, "EKS", ON_EKS)
    if options.user and not _POD_USER.fullmatch(options.user):
        cause = f"{_on(queue, 'EKS')}, where users and groups are numbers"
        raise refusal(options, "user", cause, "--user 1000, or --user 1000:1000")
    if options.cpu * _QUARTERS != int(options.cpu * _QUARTERS):
        nearest = (int(options.cpu * _QUARTERS) + 1) / _QUARTERS
        cause = f"{_on(queue, 'EKS')}, where Batch takes quarters of a vCPU"
        raise refusal(options, "cpu", cause, f"--cpu {nearest:g}")


def _check_job_role(options: Options) -> None:
    if options.job_definition:
        return
    if not options.iam_role:
        raise ConfigurationError(
            "unable to launch the AWS Batch job: no IAM role specified",
            "without a role of its own the job can't reach the bucket",
            "--iam-role arn:aws:iam::ACCOUNT:role/NAME, or NBBATCH_IAM_ROLE, "
            "or METAFLOW_ECS_S3_ACCESS_IAM_ROLE",
        )
    check_role(options, "iam_role")


def _check_execution_role(options: Options, why: str) -> None:
    if not options.execution_role:
        raise ConfigurationError(
            "unable to launch the AWS Batch job: no execution role specified",
            why,
            "--execution-role arn:aws:iam::ACCOUNT:role/NAME, or NBBATCH_EXECUTION_ROLE, "
            "or METAFLOW_ECS_FARGATE_EXECUTION_ROLE",
        )
    check_role(options, "execution_role")


def _check_share(options: Options, queue: Queue) -> None:
    if queue.fair_share is None:
        return
    if queue.fair_share and not options.share_identifier:
        raise OptionError(
            f"the queue {queue.name} takes no job without a share identifier",
            "it has a fair-share scheduling policy",
            "--share-identifier NAME, as the policy names them",
        )
    for name in asked(options, ("share_identifier", "scheduling_priority")):
        if not queue.fair_share:
            cause = f"the queue {queue.name} has no scheduling policy, and without one it is first "
            hint = f"leave {flag(name)} out, or --queue NAME of a queue with fair shares"
            raise refusal(options, name, cause + "in, first out", hint)


def _check_size(options: Options, queue: Queue) -> None:
    wanted = options.cpu * options.nodes
    if queue.vcpus is not None and wanted > queue.vcpus:
        all_nodes = f" on each of {options.nodes} nodes" if options.nodes > 1 else ""
        raise OptionError(
            f"cpu = {options.cpu:g}{all_nodes} can't be used in the queue {queue.name}",
            f"its largest compute environment may have {queue.vcpus} vCPUs at a time (maxvCpus), "
            "and the job would wait for ever",
            f"--cpu {max(queue.vcpus // options.nodes, 1)} at most, or another --queue",
        )


def _check_processor(options: Options, queue: Queue) -> None:
    if queue.fargate or not options.platform or not queue.processors:
        return
    if options.platform not in queue.processors:
        cause = f"the instances of the queue {queue.name} are {' and '.join(queue.processors)}"
        hint = f"--queue NAME of a queue with {options.platform} instances"
        raise refusal(options, "platform", cause, hint)
