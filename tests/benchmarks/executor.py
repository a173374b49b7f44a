"""What a call costs in an executor on `local`: ``python tests/benchmarks/executor.py``.

One after the other, and many that are submitted together; beside a job for each of them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import rigs
from timing import heading, seconds, show

ROUNDS = 5
MANY = 10_000


def main() -> None:
    """Measure, and print a line for each case."""
    with tempfile.TemporaryDirectory() as made, rigs.local(Path(made)):
        from nbbatch import BatchExecutor, batch

        heading(f"a trivial call; {MANY:,} of them")
        job = batch(os.getpid)
        alone = show(
            "a job of its own",
            [seconds(lambda: job.submit().result(60)) for _ in range(ROUNDS)],
        )
        with BatchExecutor(2) as executor:
            first = seconds(lambda: executor.submit(os.getpid).result(60))
            show("the first one of an executor", [first], against=alone)
            one = [seconds(lambda: executor.submit(os.getpid).result(60)) for _ in range(50)]
            show("one after the other", one, against=alone)
            together = [seconds(lambda: list(executor.map(abs, range(MANY)))) for _ in range(3)]
            show("together, each", [taken / MANY for taken in together], against=alone)


if __name__ == "__main__":
    main()
