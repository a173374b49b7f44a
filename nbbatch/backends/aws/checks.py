"""What Batch can't honour, said before anything is written: pure functions of plain values.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbbatch.errors import ConfigurationError, OptionError

if TYPE_CHECKING:
    from nbbatch.backends.aws.queues import Queue
    from nbbatch.options import Options

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_SHORTEST = 60
#: The least memory in MiB that the container runtime takes.
_LEAST_MEMORY = 4


def _steps(first: int, last: int, step: int = 1024) -> tuple[int, ...]:
    return tuple(range(first, last + 1, step))


#: vCPUs on Fargate, and the memory in MiB that may go with each.
FARGATE: dict[float, tuple[int, ...]] = {
    0.25: (512, 1024, 2048),
    0.5: _steps(1024, 4096),
    1: _steps(2048, 8192),
    2: _steps(4096, 16384),
    4: _steps(8192, 30720),
    8: _steps(16384, 61440, 4096),
    16: _steps(32768, 122880, 8192),
    32: (61440, 122880, 249856),
}


def check_request(options: Options) -> None:
    """Refuse what no queue could honour.

    Raises
    ------
    OptionError
        A value that Batch does not take.
    ConfigurationError
        No role is given.
    """
    if options.timeout is not None and options.timeout < _SHORTEST:
        raise OptionError(
            f"timeout = {options.timeout} can't be used",
            f"AWS Batch stops no job before it ran for {_SHORTEST} seconds",
            f"--timeout {_SHORTEST}",
        )
    if options.memory < _LEAST_MEMORY:
        raise OptionError(
            f"memory = {options.memory} can't be used",
            f"AWS Batch takes no less than {_LEAST_MEMORY} MiB",
            f"--memory {_LEAST_MEMORY}",
        )
    if not options.iam_role:
        raise ConfigurationError(
            "unable to launch the AWS Batch job: no IAM role specified",
            "without a role of its own the job can't reach the bucket",
            "--iam-role arn:aws:iam::ACCOUNT:role/NAME, or NBBATCH_IAM_ROLE, "
            "or METAFLOW_ECS_S3_ACCESS_IAM_ROLE",
        )
    _check_role("iam_role", options.iam_role)


def check_platform(options: Options, queue: Queue) -> None:
    """Refuse what this queue's platform can't honour.

    Raises
    ------
    OptionError
        A value that the platform does not take, and the nearest that it does.
    ConfigurationError
        Fargate without an execution role.
    """
    if queue.fargate:
        _check_fargate(options, queue)
    elif queue.platform in ("EC2", "SPOT"):
        _check_ec2(options, queue)
    else:
        raise OptionError(
            f"queue = {queue.name!r} can't be used",
            f"its jobs run on {queue.platform}; nbbatch runs on EC2 and on Fargate",
            "--queue NAME of a queue with an EC2 or Fargate compute environment",
        )


def _check_role(option: str, role: str) -> None:
    if _ROLE.fullmatch(role) is None:
        raise OptionError(
            f"{option} = {role!r} can't be used",
            "it is not the ARN of a role",
            f"--{option.replace('_', '-')} arn:aws:iam::ACCOUNT:role/NAME; "
            "aws iam list-roles shows the ARNs",
        )


def _check_ec2(options: Options, queue: Queue) -> None:
    if options.cpu != int(options.cpu):
        raise OptionError(
            f"cpu = {options.cpu:g} can't be used in the queue {queue.name}",
            "it runs on EC2, where Batch takes whole vCPUs only",
            f"--cpu {int(options.cpu) + 1}",
        )


def _check_fargate(options: Options, queue: Queue) -> None:
    for option in ("gpu", "shared_memory"):
        if getattr(options, option):
            raise OptionError(
                f"{option} = {getattr(options, option)} can't be used in the queue {queue.name}",
                "it runs on Fargate, which has none to give",
                f"--queue NAME of a queue on EC2, or leave out --{option.replace('_', '-')}",
            )
    if not options.execution_role:
        raise ConfigurationError(
            "unable to launch the AWS Batch job: no execution role specified",
            f"the queue {queue.name} runs on Fargate, which pulls the image with that role",
            "--execution-role arn:aws:iam::ACCOUNT:role/NAME, or NBBATCH_EXECUTION_ROLE, "
            "or METAFLOW_ECS_FARGATE_EXECUTION_ROLE",
        )
    _check_role("execution_role", options.execution_role)
    if options.memory not in FARGATE.get(options.cpu, ()):
        cpu, memory = nearest_fargate(options.cpu, options.memory)
        raise OptionError(
            f"cpu = {options.cpu:g} with memory = {options.memory} can't be used in the queue "
            f"{queue.name}",
            "it runs on Fargate, which has fixed pairs of the two",
            f"--cpu {cpu:g} --memory {memory}",
        )


def nearest_fargate(cpu: float, memory: int) -> tuple[float, int]:
    """Return the smallest pair that holds both, or the largest there is."""
    for size, memories in FARGATE.items():
        if size >= cpu:
            for amount in memories:
                if amount >= memory:
                    return size, amount
    return 32, FARGATE[32][-1]
