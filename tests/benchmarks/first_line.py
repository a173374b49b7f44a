"""From the container's start to the user's first line: ``python tests/benchmarks/first_line.py``.

Runs the job's real command, with the environment that AWS would give it, in an interpreter that
sees no installed package; S3 is moto on loopback, in a process of its own. Names of other
interpreters may be given. The second figure of each, CPU time of the job's two processes, is what
the first would be at least on an idle machine, and hardly depends on what else runs.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rigs
from timing import heading, paired, show

from nbbatch.backends.aws import aws_backend
from nbbatch.capture.values import Captured
from nbbatch.options import merge
from nbbatch.session import Session, Work
from nbbatch.wire import keys
from nbbatch.wire.graph import dump
from nbbatch.wire.spec import JobSpec
from nbbatch.worker.boot.bootstrap import bootstrap_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbbatch.backends.base import Backend, Launch

ROUNDS = 15
REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
#: What the job is: its only line says when it ran, and what CPU time it took until then.
LINE = """\
import os, time
now = time.time()
ticks = open(f"/proc/{os.getppid()}/stat").read().rpartition(")")[2].split()[11:13]
used = time.process_time() + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
open("first", "w").write(f"{now!r} {used!r}")
"""


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[Backend]:
    """Yield an aws backend with a bucket on moto."""
    with rigs.moto() as address:
        os.environ.update(KEYS, AWS_ENDPOINT_URL=address, AWS_DEFAULT_REGION=REGION)
        backend = aws_backend(
            s3_root="s3://bucket/root",
            region=REGION,
            profile=None,
            endpoint_url=None,
            cache_dir=folder,
        )
        backend.store._clients.s3.create_bucket(Bucket="bucket")  # type: ignore[attr-defined]
        yield backend


class NoRunner:
    """Keeps what was to be started, for this script to start it."""

    poll_seconds = 60.0

    def __init__(self) -> None:
        self.launches: list[Launch] = []

    def check(self, options: Any) -> None:
        """Take everything."""

    def start(self, launch: Launch) -> str:
        """Start nothing."""
        self.launches.append(launch)
        return launch.job_id

    def describe(self, ids: Any) -> dict[str, Any]:
        """Know nothing."""
        return {}

    explain = describe


def work() -> Work:
    """Return the cell."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    spec = JobSpec(kind="cell", name="first-line", python=python, source=LINE)
    return Work(spec, Captured(dump([])))


def submitter(backend: Backend, home: Path) -> Callable[[], Launch]:
    """Return what writes the objects of one more job and says how it is to be started."""
    os.environ.update(NBBATCH_HOME=str(home), NBBATCH_BACKEND="local")
    from nbbatch.session import current_session

    session: Session = current_session()
    runner = NoRunner()
    session.backend = replace(backend, runner=runner)  # type: ignore[arg-type]

    def submit() -> Launch:
        session.submit(work(), merge({}))
        return runner.launches[-1]

    return submit


def first_line(
    submit: Callable[[], Launch], python: list[str], folder: Path
) -> tuple[float, float]:
    """Run one job as a container would; return the seconds until its first line, and of CPU."""
    launch = submit()
    environment = {
        **launch.environment,
        **KEYS,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "AWS_EC2_METADATA_DISABLED": "true",
        keys.ENV_BATCH_JOB: launch.job_id,
        keys.ENV_BATCH_ATTEMPT: "1",
    }
    command = [*python, *bootstrap_command()[1:]]
    began = time.time()
    subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True)
    at, used = map(float, (folder / "first").read_text().split())
    return at - began, used


def main() -> None:
    """Measure, and print a line for each interpreter."""
    with tempfile.TemporaryDirectory() as made, s3(Path(made)) as backend:
        folder = Path(made)
        submit = submitter(backend, folder / "home")
        pythons = sys.argv[1:] or [sys.executable]
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in pythons}
        heading("from the interpreter's start to the user's first line, S3 on loopback")
        for _ in range(ROUNDS):
            for name in pythons:
                found[name].append(first_line(submit, [name, "-I", "-S"], folder))
        bare = paired({"": lambda: subprocess.run([pythons[0], "-I", "-S", "-c", ""])}, ROUNDS)
        base = show("python -I -S -c ''", bare[""])
        for name, figures in found.items():
            python = Path(name).resolve().name
            show(f"{python} -I -S, the job's command", [at for at, _ in figures], against=base)
            show(f"{python}, of that CPU", [used for _, used in figures])


if __name__ == "__main__":
    main()
