"""What can be told about this machine as a place for jobs."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from nbbatch.backends.base import ClientStore, Launch
from nbbatch.backends.local import machine
from nbbatch.backends.local.errors import as_backend_errors
from nbbatch.backends.local.runner import LocalRunner
from nbbatch.errors import NbbatchError, as_error
from nbbatch.facts import Finding, State, Status, Verdict
from nbbatch.options import Options
from nbbatch.wire import keys

_GIB = 1 << 30
#: Free bytes below which jobs soon fail, and below which they fail at once.
_LITTLE, _NONE = _GIB, 50 << 20
#: Seconds that a job which does nothing may take.
_PATIENCE = 30.0


def examine(
    home: Path, store: ClientStore, runner: LocalRunner, options: Options
) -> Iterator[Finding]:
    """Look at the home, the disk, this machine, Python, and run a job that does nothing."""
    writable = _guarded("home", lambda: _home(home))
    yield writable
    if writable.verdict is not Verdict.OK:
        return
    yield _guarded("disk", lambda: _disk(home))
    yield from _machine(options, os.environ)
    python = _guarded("python", lambda: _python(runner, options))
    yield python
    if python.verdict is not Verdict.WRONG:
        yield _guarded("job", lambda: _job(home, store, runner, options))


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        with as_backend_errors():
            return look()
    # An examination that breaks off with an exception would help nobody.
    except Exception as error:
        told = as_error(error, f"{name}: this can't be examined")
        return Finding(name, Verdict.WRONG, told.what, told.cause, told.hint)


def _home(home: Path) -> Finding:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=home) as file:
        file.write(b"nbbatch")
    return Finding("home", Verdict.OK, f"{home} can be written")


def _disk(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    found = f"{free / _GIB:.1f} GiB free under {home}"
    hint = "make room there, or set NBBATCH_HOME to a folder on another disk"
    if free >= _LITTLE:
        return Finding("disk", Verdict.OK, found)
    verdict = Verdict.WARNING if free >= _NONE else Verdict.WRONG
    return Finding("disk", verdict, found, "values and results are written there", hint)


def _machine(options: Options, environ: Mapping[str, str]) -> Iterator[Finding]:
    cores, memory, gpus = machine.cores(), machine.memory(), machine.gpus(environ)
    yield _amount("cpu", options.cpu, cores, f"{cores} CPUs")
    has = f"{memory} MiB of memory" if memory else "the machine does not say how much memory it has"
    yield _amount("memory", options.memory, memory or options.memory, has)
    if not machine.limits_memory():
        yield Finding(
            "memory limit",
            Verdict.WARNING,
            "a job may use more memory than it has asked for",
            "this system does not tell what a tree of processes uses",
            "nothing is to be done; on AWS Batch, and on Linux, jobs are held to it",
        )
    yield _amount("gpu", options.gpu, len(gpus), f"{len(gpus)} GPUs ({', '.join(gpus) or 'none'})")


def _amount(name: str, asked: float, has: float, found: str) -> Finding:
    if asked <= has:
        return Finding(name, Verdict.OK, found)
    return Finding(
        name,
        Verdict.WARNING,
        found,
        f"{asked:g} are asked for, and a local job gets what there is",
        f"--{name} {has:g}, or a queue on AWS Batch that has more (nbbatch.configure)",
    )


def _python(runner: LocalRunner, options: Options) -> Finding:
    runner.check(options)
    here = "{}.{}".format(*sys.version_info)
    if not options.executable:
        return Finding("python", Verdict.OK, f"jobs run with this Python, {here}: {sys.executable}")
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    command = [options.executable, "-c", code]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    there = asked.stdout.strip()
    if asked.returncode:
        cause = (asked.stderr.strip().splitlines() or ["it says nothing"])[0]
        hint = "--executable a Python of version 3.9 or newer"
        return Finding("python", Verdict.WRONG, f"{options.executable} is no Python", cause, hint)
    found = f"jobs run with {options.executable}, Python {there}"
    if there == here:
        return Finding("python", Verdict.OK, found)
    cause = f"this is Python {here}: cells run there, functions and their values do not travel"
    return Finding("python", Verdict.WARNING, found, cause, f"--executable python{here}")


def _job(home: Path, store: ClientStore, runner: LocalRunner, options: Options) -> Finding:
    """Run a job that does nothing, all the way: stored, unpacked, supervised, ended."""
    worker, digest = _nothing()
    launch = Launch(keys.new_job_id(), "doctor", options, {}, digest)
    began = time.monotonic()
    try:
        store.put(keys.worker(digest), [worker])
        runner.start(launch)
        status = _last_status(runner, launch.job_id)
        return _judge(status, time.monotonic() - began, list(runner.log(launch.job_id)))
    finally:
        # Whatever went wrong has been told; leftovers are small and harm nobody.
        with contextlib.suppress(NbbatchError):
            runner.stop([launch.job_id], "nbbatch: the examination is over")
            runner.forget(launch.job_id)
            store.delete([keys.worker(digest)])
        shutil.rmtree(home / "worker" / digest, ignore_errors=True)


def _nothing() -> tuple[bytes, str]:
    target = io.BytesIO()
    # Of its own, for it is removed afterwards: another examination may be at it.
    text = f"# A job that does nothing: {secrets.token_hex(8)}.\n"
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), text)
    return target.getvalue(), sha256(target.getvalue()).hexdigest()


def _last_status(runner: LocalRunner, id_: str) -> Status:
    """Wait until the job has ended, or for long enough."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        status = runner.describe([id_])[id_]
        if status.state.final or time.monotonic() > deadline:
            return status
        time.sleep(runner.poll_seconds)


def _judge(status: Status, took: float, said: list[str]) -> Finding:
    if status.state is State.SUCCEEDED:
        return Finding("job", Verdict.OK, f"a job that does nothing took {took:.1f} s")
    failed = status.state.final
    found = f"a job that does nothing {'failed' if failed else f'did not end in {took:.0f} s'}"
    cause = "; ".join(filter(None, [status.reason, *said[-1:]])) or "it says nothing"
    hint = "look whether processes may be started here, and whether NBBATCH_HOME is on a local disk"
    return Finding("job", Verdict.WRONG, found, cause, hint)
