"""What a real job's flood of lines costs: ``python tests/benchmarks/flood_of_a_job.py [lines]``.

A job on the local backend prints as fast as it can; the kernel follows it, checks what it reads,
and keeps the log that a card would show. Printed are the CPU time of the kernel's process, the
messages that a page would get, and whether what a page would download is what the job said.
`log_flood` has the page's side.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from timing import heading

import nbbatch
from nbbatch.facts import JobFacts
from nbbatch.widgets.log import JobLog
from nbbatch.wire.frames import Frame

#: Seconds between two looks of a card's pump.
LOOK = 0.1
COUNTS = [int(text) for text in sys.argv[1:]] or [20_000, 1_000_000]


@nbbatch.batch
def flood(count: int) -> None:
    """Print lines of 87 bytes."""
    for first in range(0, count, 100):
        lines = range(first, min(count, first + 100))
        sys.stdout.write("".join(f"line {n:07d} " + "x" * 73 + "\n" for n in lines))


class Card:
    """As much of a card as takes text."""

    def __init__(self) -> None:
        self.log = JobLog()
        self.messages = 0

    def on_facts(self, facts: JobFacts) -> None:
        """Draw nothing."""

    def on_frames(self, frames: list[Frame]) -> None:
        """Keep what was printed."""
        for frame in frames:
            if frame["kind"] == "stream":
                self.log.write(frame["name"], frame["text"])

    def look(self) -> None:
        """Send what came, to nobody."""
        self.messages += self.log.take() is not None

    def downloaded(self) -> Iterator[bytes]:
        """Yield the pieces that a page would get."""
        at, last = 0, False
        while not last:
            told, (piece,) = self.log.answer({"ask": "download", "id": str(at), "at": at})
            yield bytes(piece)
            last, at = told["end"], told["next"]


def measure(count: int) -> None:
    """Follow one job, and print what it cost."""
    card = Card()
    cpu, begun = time.process_time(), time.monotonic()
    job: Any = flood.submit(count)
    job.observe(card)
    while not job.wait(LOOK):
        card.look()
    card.look()
    cpu, took = time.process_time() - cpu, time.monotonic() - begun
    same = b"".join(card.downloaded()) == job.logs().encode()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{count:>9,} lines in {took:.1f} s: kernel's CPU {cpu:.2f} s, {card.messages} messages, "
        f"download {'complete' if same else 'DIFFERS'}, {memory} MB at most (the check included)"
    )


if __name__ == "__main__":
    heading("The log of a real job, as the kernel keeps it for a card")
    with tempfile.TemporaryDirectory() as home:
        os.environ["NBBATCH_HOME"] = home
        flood(1)
        for count in COUNTS:
            measure(count)
