"""How long it takes to find out what a cell uses: ``python tests/benchmarks/capture.py``."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.inputtransformer2 import TransformerManager

from nbbatch.capture import local_modules, parse_cell

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = 500
ROUNDS = 30
PATTERN = """\
import numpy as np
from pathlib import Path

def load(path, limit=DEFAULT, *, retries: int = 3):
    rows = [parse(line) for line in open(path) if line.strip() and not line.startswith(MARK)]
    if limit is not None:
        rows = rows[:limit]
    return {key: [row[key] for row in rows] for key in FIELDS}

class Model(Base):
    size: int = 10

    def fit(self, x, y):
        for step in range(self.size):
            self.weights = update(self.weights, x, y, rate=RATE / (step + 1))
        return self

total = 0
for name in sorted(names):
    try:
        table = load(Path(root) / name)
    except OSError as error:
        print(f"{name}: {error!r}")
        continue
    total += sum(value for value in table["value"] if value > threshold)
with lock as held:
    results[held] = (total, np.mean([score for _, score in scores]))
"""


def cell() -> str:
    """Make a cell of `LINES` lines of ordinary code."""
    lines = PATTERN.splitlines()
    whole = lines * (LINES // len(lines))
    rest = ["total += 1"] * (LINES - 1 - len(whole))
    return "\n".join([*whole, *rest, "!echo {total} $root"])


def median_ms(work: Callable[[], object]) -> float:
    """Return the median of what `work` takes, in milliseconds of this process's own time."""
    work()
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken) * 1000


def package(directory: Path) -> None:
    """Write a local package of 100 modules that import much."""
    inside = directory / "project"
    inside.mkdir()
    for number in range(100):
        (inside / f"part{number}.py").write_text("import numpy, pandas, json\n" + "x = 1\n" * 50)
    (inside / "__init__.py").write_text("from project import part0\n")


def main() -> None:
    """Measure, and print a line for each case."""
    body = cell()
    transform = TransformerManager().transform_cell
    plain = transform(body)
    print(f"IPython's transformer alone: {median_ms(lambda: transform(body)):.2f} ms")
    print(f"{LINES} lines, transformed and analysed: {median_ms(lambda: parse_cell(body)):.2f} ms")
    print(f"{LINES} lines, analysed: {median_ms(lambda: parse_cell(plain, lambda s: s)):.2f} ms")
    names = ["numpy", "pandas", "json", "os", "matplotlib.pyplot"]
    with tempfile.TemporaryDirectory() as made:
        where = Path(made)
        took = median_ms(lambda: local_modules(names, search_dir=where))
        print(f"installed modules only: {took:.2f} ms")
        package(where)
        took = median_ms(lambda: local_modules([*names, "project"], search_dir=where))
        print(f"with a local package of 100 modules: {took:.2f} ms")


if __name__ == "__main__":
    main()
