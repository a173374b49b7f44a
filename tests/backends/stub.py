"""A worker that runs the Python code in its environment, and helpers to run it as jobs.

The backends' contract does not depend on the real worker.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbbatch
from nbbatch.backends.base import Backend, Launch
from nbbatch.facts import State, Status
from nbbatch.options import merge
from nbbatch.wire import keys

MAIN = """\
import os
exec(os.environ["STUB_CODE"])
"""
KEY = "5ec2e7" * 10 + "abcd"
#: Long enough for a slow machine; a test that passes never waits for it.
PATIENCE = 240.0


def worker_zip() -> tuple[bytes, str]:
    """Build the stub's zip; return it with its SHA-256."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), MAIN)
    data = target.getvalue()
    return data, hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Rig:
    """A backend under test.

    Attributes
    ----------
    recipe
        Python source that binds the name ``backend`` to the same backend in another process.
    least_timeout
        The shortest timeout, in seconds, that the backend takes.
    """

    backend: Backend
    recipe: str
    least_timeout: int = 1
    started: list[str] = field(default_factory=list)

    def launch(
        self,
        code: str,
        environment: Mapping[str, str] | None = None,
        children: int = 0,
        **options: Any,
    ) -> Launch:
        """Store all that a job needs, and say how to start it."""
        data, sha256 = worker_zip()
        self.backend.store.put(keys.worker(sha256), [data], if_absent=True)
        job = keys.new_job_id()
        own = {keys.ENV_JOB: job, keys.ENV_KEY: KEY, keys.ENV_WORKER: sha256, "STUB_CODE": code}
        return Launch(
            job_id=job,
            name="stub",
            options=merge(options),
            environment={**self.backend.store.environment(), **own, **(environment or {})},
            worker=sha256,
            secret=frozenset({keys.ENV_KEY}),
            children=children,
        )

    def start(self, code: str, environment: Mapping[str, str] | None = None, **options: Any) -> str:
        """Start a job that runs `code`."""
        id_ = self.backend.runner.start(self.launch(code, environment, **options))
        self.started.append(id_)
        return id_

    def kill_after(self, seconds: float) -> None:
        """Have jobs that start from now on, once stopped, get SIGKILL so long after SIGTERM.

        They usually have more time than any machine needs to hear them out.
        """
        self.backend.runner._grace = seconds  # type: ignore[attr-defined]

    def status(self, id_: str) -> Status:
        """Say how a job is."""
        return self.backend.runner.describe([id_])[id_]

    def reach(self, id_: str, *states: State) -> Status:
        """Wait until a job is in one of `states`, or has ended."""
        return until(
            lambda: self.status(id_), lambda status: status.state.final or status.state in states
        )

    def finish(self, id_: str) -> Status:
        """Wait for a job's end."""
        return self.reach(id_)

    def lines(self, id_: str, count: int = 1) -> list[str]:
        """Wait until a job's log has `count` lines, and return them all."""
        return until(lambda: list(self.backend.runner.log(id_)), lambda lines: len(lines) >= count)

    def stop_all(self) -> None:
        """End what a failed test has left behind."""
        self.backend.runner.stop(self.started, "the test is over")

    def script(self, code: str) -> str:
        """Return a script that has the same ``backend`` in another process."""
        paths = [str(Path(nbbatch.__path__[0]).parent), str(Path(__file__).parent)]
        return f"import sys\nsys.path[:0] = {paths!r}\n{self.recipe}\n{code}"

    def elsewhere(self, code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Run code in another process that has the same ``backend``."""
        command = [sys.executable, "-c", self.script(code), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, **options)


def until(look: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Look again and again until what is seen is `good`."""
    deadline = time.monotonic() + PATIENCE
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r}"
        time.sleep(0.01)
    return seen


def states(rig: Rig, id_: str) -> Iterator[State]:
    """Yield each new state of a job until it has ended."""
    last = None
    while last is None or not last.final:
        now = rig.status(id_).state
        if now is not last:
            yield now
        last = now
