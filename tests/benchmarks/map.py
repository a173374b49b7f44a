"""What `f.map` costs: ``python tests/benchmarks/map.py [items]``.

Wall time for each of 10,000 trivial items on this machine, from the call of `map` to the last
value; the calls that the same costs on AWS (moto's S3, a stand-in for Batch), whose children here
share this machine; and the memory of a process that reads large results one after the other.
"""

from __future__ import annotations

import itertools
import logging
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import rigs
from timing import heading, show

import nbbatch
from nbbatch.session import current_session

ITEMS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
ROUNDS = 3
LARGE = 4 << 20


@nbbatch.batch
def same(x: Any) -> Any:
    """Return what is given."""
    return x


@nbbatch.batch
def large(x: int) -> bytes:
    """Return some megabytes."""
    return bytes([x % 256]) * LARGE


def mapped(items: Any, chunksize: Any) -> tuple[float, int]:
    """Map over items and take all values; return the seconds, and how many children there were."""
    start = time.perf_counter()
    job = same.map(items, chunksize=chunksize)
    count = sum(1 for _ in job)
    assert count == ITEMS
    return time.perf_counter() - start, job.children.size


def on_this_machine() -> None:
    """Print the wall time for each item."""
    same.submit(1).result()
    for chunksize in ("auto", 100, 1000, 5000):
        taken = [mapped(range(ITEMS), chunksize) for _ in range(ROUNDS)]
        # What the first has shown of the items counts from the second one on.
        rounds = {children: [s for s, c in taken if c == children] for _, children in taken}
        for children, seconds in rounds.items():
            name = f"local: chunksize={chunksize}, {children} children"
            show(name, [1000 * each / ITEMS for each in seconds], "ms an item")


def on_aws() -> None:
    """Print the calls of this process, by operation."""
    clients = current_session().backend.store._clients  # type: ignore[attr-defined]
    calls: Counter[str] = Counter()
    for client in (clients.s3, clients.batch, clients.batch_once):
        client.meta.events.register(
            "before-send", lambda event_name, **_: calls.update([event_name.rpartition(".")[2]])
        )
    for chunksize in (100, 1000):
        calls.clear()
        seconds, children = mapped(range(ITEMS), chunksize)
        others = sum(calls.values()) - children
        print(f"  aws: {children} children, {seconds:.0f} s: {others} calls besides a read each")
        print(f"       {dict(calls)}")


def in_memory() -> None:
    """Print what a process grows by that reads results one after the other."""
    job = large.map(range(64), chunksize=1)
    job.wait()
    results = iter(job)
    list(itertools.islice(results, 8))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in results:
        pass
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"  56 more results of {LARGE >> 20} MiB each: the peak grows by {grown:.1f} MiB")


def main() -> None:
    """Measure, and print a line for each case."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    heading(f"f.map over {ITEMS:,} items that cost nothing")
    for backend, measure in ((rigs.local, on_this_machine), (rigs.local, in_memory)):
        with tempfile.TemporaryDirectory() as made, backend(Path(made)):
            nbbatch.configure()
            measure()
    with tempfile.TemporaryDirectory() as made, rigs.aws(Path(made)):
        nbbatch.configure()
        on_aws()


if __name__ == "__main__":
    main()
