"""What Fargate has: pairs of CPU and memory, and no other.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
"""

from __future__ import annotations


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


def nearest_fargate(cpu: float, memory: int) -> tuple[float, int]:
    """Return the smallest pair that holds both, or the largest there is."""
    for size, memories in FARGATE.items():
        if size >= cpu:
            for amount in memories:
                if amount >= memory:
                    return size, amount
    return 32, FARGATE[32][-1]
