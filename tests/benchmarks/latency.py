"""How soon a printed line is seen: ``python tests/benchmarks/latency.py [seconds]``.

The job prints the time in each line; whoever observes the job notes when the line comes. On
`local`, and on `aws` with moto's S3 and jobs that run as processes. At 10 lines a second, and at
10,000.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rigs
from timing import heading, quantile, show

import nbbatch
from nbbatch import batch

if TYPE_CHECKING:
    from nbbatch.facts import JobFacts

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0


@batch
def printer(rate: float, seconds: float) -> int:
    """Print the time, `rate` times a second."""
    import time

    start, said = time.time(), 0
    while time.time() - start < seconds:
        while said < (time.time() - start) * rate:
            print(f"{time.time():.4f}")
            said += 1
        time.sleep(min(0.01, 1 / rate))
    return said


class Arrivals:
    """Notes how late each line comes."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._rest = ""

    def on_facts(self, facts: JobFacts) -> None:
        """Take no note."""

    def on_frames(self, frames: list[dict[str, Any]]) -> None:
        """Note the lines."""
        now = time.time()
        text = self._rest + "".join(f["text"] for f in frames if f["kind"] == "stream")
        *lines, self._rest = text.split("\n")
        self.late += [now - float(line) for line in lines]


def run(rate: float) -> list[float]:
    """Run the printer and return how late its lines were."""
    arrivals = Arrivals()
    job = printer.submit(rate, SECONDS)
    job.observe(arrivals)
    said = job.result(SECONDS + 60)
    if len(arrivals.late) != said:
        raise RuntimeError(f"{said} lines were printed, and {len(arrivals.late)} came")
    return arrivals.late


def main() -> None:
    """Measure, and print two lines for each case."""
    heading(f"seconds from print to the client, over {SECONDS:.0f} s")
    for name, backend in (("local", rigs.local), ("aws", rigs.aws)):
        with tempfile.TemporaryDirectory() as made, backend(Path(made)):
            nbbatch.configure()
            for rate in (10, 10_000):
                late = run(rate)
                show(f"{name}, {rate} lines/s ({len(late)} lines)", late)
                print(f"{'':>54} {quantile(late, 0.95):8.3f} s  for 95 of 100")


if __name__ == "__main__":
    main()
