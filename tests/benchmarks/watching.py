"""What following a quiet job costs a kernel: ``python tests/benchmarks/watching.py [seconds]``.

CPU time of the kernel's process, in percent of a core, while the job of a ``%%batch`` cell
sleeps; the kernel itself, idle, beside it. Jobs and servers are processes of their own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import rigs
from timing import heading, show

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
ROUNDS = 3


def percent(run: Callable[..., str], cell: str) -> float:
    """Return the kernel's CPU time while a cell runs, in percent of a core."""
    run("import time\ncpu, clock = time.process_time(), time.perf_counter()")
    run(cell)
    spent = "100 * (time.process_time() - cpu) / (time.perf_counter() - clock)"
    return float(run("", spent))


def main() -> None:
    """Measure, and print a line for each case."""
    heading(f"CPU of a kernel that follows a job which is quiet for {SECONDS:.0f} s")
    pause = f"import time\ntime.sleep({SECONDS})"
    for name, backend in (("local", rigs.local), ("aws", rigs.aws)):
        with tempfile.TemporaryDirectory() as made, backend(Path(made)), rigs.kernel() as run:
            run("%%batch\nx = 1")
            idle, cells = [], []
            for _ in range(ROUNDS):
                idle.append(percent(run, pause))
                cells.append(percent(run, f"%%batch\n{pause}"))
        show(f"{name}: the kernel sleeps itself", idle, "%")
        show(f"{name}: it follows a %%batch cell that sleeps", cells, "%")


if __name__ == "__main__":
    main()
