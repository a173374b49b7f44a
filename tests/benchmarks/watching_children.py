"""What it costs to follow 10,000 live children: ``python .../watching_children.py [seconds]``.

Calls a minute, and CPU time of the process that follows, in percent of a core. The children are
names in the store of a moto server, which is a process of its own, with so many of them done;
boto3 lists them for real. What Batch would say of the array is said here, without a call: the
questions to it are counted with the calls.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import rigs
from timing import heading

from nbbatch.backends.aws.clients import Clients
from nbbatch.backends.aws.store import S3ClientStore
from nbbatch.backends.base import Backend
from nbbatch.facts import Children, JobFacts, State, Status
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.futures.watching.watcher import Watcher
from nbbatch.wire import keys

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
SIZE = 10_000
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}


class Runner:
    """Says of every job that its children run."""

    poll_seconds = 2.0

    def __init__(self, done: int) -> None:
        self.calls = 0
        self._status = Status(
            State.PENDING, children={State.RUNNING: SIZE - done, State.SUCCEEDED: done}
        )

    def describe(self, ids: Any) -> Any:
        """Count the question, and answer it."""
        self.calls += bool(ids)
        return dict.fromkeys(ids, self._status)


class Looks:
    """Somebody looks at the job all the time, as its card does."""

    def on_facts(self, facts: JobFacts) -> None:
        """Take the facts."""

    def on_frames(self, frames: Any) -> None:
        """Take the frames."""


def follow(url: str, done: int) -> None:
    """Follow an array of which so many children are done, and print what that costs."""
    bucket = f"bucket-{done}"
    s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **KEYS)
    s3.create_bucket(Bucket=bucket)
    job = keys.new_job_id()
    with ThreadPoolExecutor(16) as pool:
        names = (keys.outcome(job, 1, child) for child in range(done))
        list(pool.map(lambda name: s3.put_object(Bucket=bucket, Key=name, Body=b"x"), names))
    clients = Clients("us-east-1", None, url)
    calls: list[str] = []
    store: Any = S3ClientStore(f"s3://{bucket}", clients)
    clients.s3.meta.events.register("before-send", lambda event_name, **_: calls.append(event_name))
    runner: Any = Runner(done)
    watcher = Watcher(Backend("aws", store, runner, None))  # type: ignore[arg-type]
    children = Children(SIZE, SIZE, 1, {State.SUBMITTED: SIZE}, "0" * SIZE)
    facts = JobFacts(job, "many", "aws", batch_job_id="id", children=children)
    tracker = ArrayTracker(Backend("aws", store, runner, None), b"k", facts)  # type: ignore[arg-type]
    tracker.observe(Looks())
    watcher.add(tracker, lambda: None, lambda: True)
    time.sleep(10)
    calls.clear()
    runner.calls = 0
    cpu, clock = time.process_time(), time.monotonic()
    time.sleep(SECONDS)
    spent = 100 * (time.process_time() - cpu) / (time.monotonic() - clock)
    counted = tracker.facts.children
    assert counted is not None
    assert counted.done == done
    minute = 60 / SECONDS
    print(
        f"  {done:>6,} done: {len(calls) * minute:5.1f} listings, {runner.calls * minute:4.1f} "
        f"questions a minute; {spent:4.2f} % of a core"
    )


def main() -> None:
    """Measure, and print a line for each case."""
    heading(f"following {SIZE:,} live children for {SECONDS:.0f} s")
    with tempfile.TemporaryDirectory() as made, rigs.moto() as url:
        import os

        os.environ.update(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret")  # noqa: S106 moto's
        os.environ["AWS_CONFIG_FILE"] = str(Path(made) / "none")
        for done in (0, 5_000, 9_999):
            follow(url, done)


if __name__ == "__main__":
    main()
