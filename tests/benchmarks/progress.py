"""What a bar costs a loop in a job, for each turn: ``python tests/benchmarks/progress.py``.

Beside the bare loop and tqdm, each in a job of its own on `local`; tqdm once as it is, and once
with its bars on the card.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import rigs
from timing import heading, show

TURNS = 2_000_000
ROUNDS = 5
SHORT = 20_000


def in_job(rounds: int, turns: int, short: int) -> dict[str, list[float]]:
    """Return nanoseconds for each turn of each kind of loop; runs in the job."""
    import io

    from tqdm import std
    from tqdm.std import tqdm

    import nbbatch

    def bare(n: int) -> Any:
        return range(n)

    def plain(n: int) -> Any:
        # What of tqdm's we have wrapped, unwrapped.
        return Plain(range(n), file=io.StringIO())

    class Plain(std.tqdm):  # type: ignore[misc,type-arg]
        refresh = std.tqdm.refresh.__wrapped__
        close = std.tqdm.close.__wrapped__

    def generator(n: int) -> Any:
        for x in range(n):  # noqa: UP028 what any wrapper in Python costs at least
            yield x

    loops = {
        "a bare loop": bare,
        "a generator that passes on": generator,
        "nbbatch.progress": lambda n: nbbatch.progress(range(n)),
        "tqdm as it is": plain,
        "tqdm on the card": lambda n: tqdm(range(n), file=io.StringIO()),
    }
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            start = time.perf_counter()
            for _ in loop(turns):
                pass
            taken[name].append((time.perf_counter() - start) / turns * 1e9)
        with nbbatch.progress(label="outer"):
            start = time.perf_counter()
            for _ in range(short):
                for _ in nbbatch.progress((), label="inner"):
                    pass
            taken.setdefault("nbbatch.progress, a loop of no turns", []).append(
                (time.perf_counter() - start) / short * 1e9
            )
    return taken


def main() -> None:
    """Measure, and print a line for each kind of loop."""
    with tempfile.TemporaryDirectory() as made, rigs.local(Path(made)):
        from nbbatch import batch

        heading(f"a turn of a loop in a job, {TURNS:,} turns")
        taken = batch(in_job).submit(ROUNDS, TURNS, SHORT).result(600)
    bare = show("a bare loop", taken.pop("a bare loop"), "ns")
    for name, figures in taken.items():
        show(name, figures, "ns", against=bare)


if __name__ == "__main__":
    main()
