"""A large array into a job and another one back.

``python tests/benchmarks/gigabyte.py [MiB] [local | s3 [MB/s]]``; the last is the network's
speed, which is loopback's without it.

Beside it, in the same run and the same process, the same bytes plainly written to the same store
and read back, by the same code but without digests, seals, pickles and a job. That is one upload
and one download; the job moves the bytes over the same store four times: from the client into
the store, into the worker, back into the store, and to the client. So it is compared with two of
these, taken before and after it; and with two of these and the function itself, run here.

A result is timed until every page of it was read: a store that lends it does not move it before.

Peak memory is the kernel's own figure of each process (``VmHWM``, ``ru_maxrss``), less what the
process has before (a job with a tiny array), less the two arrays that it must hold.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from first_line import KEYS, REGION
from standin import standin
from timing import heading, show

from nbbatch import batch
from nbbatch.backends.aws import aws_backend
from nbbatch.backends.base import Backend
from nbbatch.backends.local import local_backend
from nbbatch.backends.local.runner import LocalRunner
from nbbatch.session import Session, current_session
from nbbatch.wire import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 5
MIB = 1 << 20
#: Numbers in a page of memory, at least.
PAGE = 512
SIZE = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
ONLY = sys.argv[2:3]
SPEED = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0


@batch(memory=4 * SIZE + 2000)
def shifted(x: np.ndarray) -> np.ndarray:
    """Return another array of the same size."""
    return x + 1.0


def fresh() -> np.ndarray:
    """Make an array that no store has seen."""
    return np.random.default_rng().random(SIZE * MIB // 8)


def warm() -> None:
    """Touch as much memory as is used at once: a virtual machine gets it from its host slowly."""
    np.ones(8 * SIZE * MIB // 8)


def here() -> float:
    """Return the seconds that the function takes without a job."""
    data = fresh()
    start = time.perf_counter()
    shifted.local(data)
    return time.perf_counter() - start


def plain(backend: Backend) -> float:
    """Write an array to the store and read it back; return the seconds."""
    data = fresh()
    start = time.perf_counter()
    backend.store.put("plain", [memoryview(data).cast("B")])
    target = memoryview(np.empty_like(data)).cast("B")

    def read(piece: slice) -> bytes:
        backend.store.read_into("plain", piece.start, target[piece])
        return b""

    digest.in_threads(read, digest.chunks(target.nbytes))
    took = time.perf_counter() - start
    backend.store.delete(["plain"])
    return took


def job() -> tuple[float, int, int]:
    """Run the job; return the seconds, and the peaks of client and worker in MiB."""
    data = fresh()
    forget_peak()
    start = time.perf_counter()
    running = shifted.submit(data)
    result = running.result()
    result[::PAGE].sum()
    took = time.perf_counter() - start
    most = peak()
    if not (result[0] == data[0] + 1.0 and result[-1] == data[-1] + 1.0):
        raise RuntimeError("another array came back")
    forget(running._backend)
    worker = running.facts.peak
    return took, most, (worker.memory if worker else 0) // MIB


def forget(backend: Backend) -> None:
    """Remove what the store has, so that the disk need not hold all rounds."""
    backend.store.delete([key for key, _, _ in backend.store.list("blobs/")])
    current_session()._known.clear()


def forget_peak() -> None:
    """Begin anew with this process's peak: proc_pid_clear_refs(5)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return this process's peak since then, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) >> 10


def base() -> tuple[int, int]:
    """Return the same two peaks with a tiny array."""
    forget_peak()
    running = shifted.submit(np.zeros(8))
    running.result()
    worker = running.facts.peak
    return peak(), (worker.memory if worker else 0) // MIB


def measure(name: str, backend: Backend) -> None:
    """Measure one store and print its lines."""
    session: Session = current_session()
    session.backend = backend
    session._watcher._backend = backend
    client, worker = base()
    jobs = []
    plains, works = [], []
    for _ in range(ROUNDS):
        warm()
        before, (took, *peaks) = plain(backend), job()
        plains.append(before + plain(backend))
        works.append(here())
        jobs.append((took, *peaks))
    took = [seconds for seconds, _, _ in jobs]
    twice = show(f"{name}: two plain uploads plus downloads", plains)
    alone = show(f"{name}: the function, here", works)
    show(f"{name}: into a job and back, against the two", took, against=twice)
    show(f"{name}: the same, against the two and the function", took, against=twice + alone)
    ratios = [t / p for t, p in zip(took, plains)]
    show(f"{name}: each round's ratio to its two", ratios, "x")
    extra = [most - client - 2 * SIZE for _, most, _ in jobs]
    show(f"{name}: client's memory above two arrays", extra, "MiB")
    extra = [there - worker - 2 * SIZE for _, _, there in jobs]
    show(f"{name}: worker's memory above two arrays", extra, "MiB")


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[Backend]:
    """Yield what runs jobs on this machine over S3, that is its stand-in, with TLS."""
    with standin(folder, SPEED) as (address, certificate):
        os.environ.update(
            KEYS, AWS_ENDPOINT_URL=address, AWS_DEFAULT_REGION=REGION, AWS_CA_BUNDLE=certificate
        )
        aws = aws_backend(
            s3_root="s3://bucket/root",
            region=REGION,
            profile=None,
            endpoint_url=None,
            cache_dir=folder,
        )
        yield replace(aws, name="local", runner=LocalRunner(folder / "home", aws.store))


def main() -> None:
    """Measure on a directory and on S3's stand-in, in a process of its own, on loopback."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        os.environ.update(NBBATCH_HOME=str(folder / "home"), NBBATCH_BACKEND="local")
        heading(f"an array of {SIZE} MiB in and another one out")
        if "s3" not in ONLY:
            measure("local", local_backend(folder / "home"))
        if "local" not in ONLY:
            with s3(folder) as backend:
                measure("s3", backend)


if __name__ == "__main__":
    main()
