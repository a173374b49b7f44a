"""From Enter to result of a trivial cell on `local`: ``python tests/benchmarks/trivial_cell.py``.

In a real kernel, from the execute request to the reply, and in this process without a kernel;
beside a cell that runs in the kernel itself, and the bare start of an interpreter.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import rigs
from timing import heading, paired, show, start

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 30
CELL = "%%batch\nx = 1"


def plain() -> Callable[[], object]:
    """Return a trivial function's call as a job of this process."""
    from nbbatch import batch

    @batch
    def one() -> int:
        return 1

    return lambda: one.submit().result(60)


def main() -> None:
    """Measure, and print a line for each case."""
    with tempfile.TemporaryDirectory() as made, rigs.local(Path(made)), rigs.kernel() as run:
        works = {
            "%%batch x = 1, in a kernel": lambda: run(CELL),
            "@batch, .submit().result(), no kernel": plain(),
            "x = 1 in the kernel itself": lambda: run("x = 1"),
            "python -c pass": start("-c", "pass"),
            "python -I -S -c pass": start("-I", "-S", "-c", "pass"),
        }
        run(CELL)
        heading("a trivial cell on local")
        taken = paired(works, ROUNDS)
    bare = show("python -I -S -c pass", taken.pop("python -I -S -c pass"))
    for name, figures in taken.items():
        show(name, figures, against=bare)


if __name__ == "__main__":
    main()
