"""Runs jobs as processes of this machine, each under a supervisor that outlives the kernel."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nbbatch.backends.base import (
    Call,
    ClientStore,
    Found,
    Launch,
    Sought,
    Target,
    masked,
)
from nbbatch.backends.local import environments, machine
from nbbatch.backends.local.errors import as_backend_errors
from nbbatch.backends.local.folder import JobFolder
from nbbatch.backends.local.secrets import ReadSecrets, no_secrets, variables
from nbbatch.backends.local.supervise.attempt import DEFAULTS
from nbbatch.backends.local.supervise.nodes import ADDRESS, MAIN
from nbbatch.backends.local.supervise.record import LOCK_FD
from nbbatch.backends.local.workers import unpacked
from nbbatch.errors import InvalidRequestError
from nbbatch.facts import Status
from nbbatch.options import Options
from nbbatch.wire import keys, spec
from nbbatch.worker.run import fingerprint

#: Variables of the kernel's own that say which job it is itself; not those of its jobs.
_OWN = ("NBBATCH_", "AWS_BATCH_")
#: What the processes of `torch.distributed` find one another by: a kernel's own must not lead the
#: nodes of its jobs astray.
_TORCH = (
    *("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "NODE_RANK"),
    *("GROUP_RANK", "GROUP_WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
)
#: The variables that differ from node to node, in the order that the supervisor knows.
_NODE_NAMES = (
    keys.ENV_BATCH_JOB,
    keys.ENV_BATCH_NODE_INDEX,
    keys.ENV_BATCH_MAIN_NODE_ADDRESS,
    "MASTER_PORT",
    machine.VISIBLE,
)
#: The same for the children of an array.
_CHILD_NAMES = (
    keys.ENV_BATCH_JOB,
    keys.ENV_BATCH_ARRAY_INDEX,
    keys.ENV_BATCH_ARRAY_SIZE,
    machine.VISIBLE,
)
#: Where it runs, in the words of Batch.
_PLACE = keys.LOCAL
#: Seconds between SIGTERM and SIGKILL, as on ECS.
GRACE = 30.0
_SUPERVISOR = str(Path(__file__).resolve().with_name("supervisor.py"))


class LocalRunner:
    """The runner port on this machine.

    Parameters
    ----------
    home
        nbbatch's own directory; jobs are under ``local``, workers under ``worker``.
    store
        Where the worker's zip is.
    grace
        Seconds between SIGTERM and SIGKILL.
    secrets
        Reads secrets, by their sources.
    """

    poll_seconds = 0.02

    def __init__(
        self,
        home: Path,
        store: ClientStore,
        grace: float = GRACE,
        secrets: ReadSecrets = no_secrets,
    ) -> None:
        self._home = home.absolute()
        self._store = store
        self._grace = grace
        self._secrets = secrets
        #: Jobs that have ended don't change; their files are read once.
        self._ended: dict[str, Status] = {}

    def check(self, options: Options) -> None:
        """Refuse what can't work; see `nbbatch.backends.base.Runner.check`."""
        if options.executable:
            environments.check(options.executable, options.python)

    def target(self, options: Options) -> Target:
        """Return the kernel's own environment, or ask the interpreter that is to run the job."""
        return environments.environment(_executable(options))

    def at_once(self, options: Options) -> int | None:
        """Return how many fit; see `nbbatch.backends.base.Runner.at_once`."""
        return machine.room(options, os.environ)

    def larger(self, options: Options) -> Options | None:
        """Double the memory; see `nbbatch.backends.base.Runner.larger`."""
        memory = min(options.memory * 2, machine.memory() or options.memory * 2)
        return replace(options, memory=memory) if memory > options.memory else None

    def start(self, launch: Launch) -> str:
        """Start a job and return its id; see `nbbatch.backends.base.Runner.start`."""
        with as_backend_errors():
            self._start(launch)
        return launch.unique

    def find(self, sought: Sought) -> Found | None:
        """Look for a job; see `nbbatch.backends.base.Runner.find`."""
        unique = sought.unique
        return Found(unique) if self._describe(unique) is not None else None

    def describe(self, ids: Sequence[str]) -> Mapping[str, Status]:
        """Return what is known about jobs; see `nbbatch.backends.base.Runner.describe`."""
        with as_backend_errors():
            found = {id_: self._describe(id_) for id_ in ids}
        return {id_: status for id_, status in found.items() if status is not None}

    def failed(self, id_: str) -> Mapping[int, Status]:
        """Return the children that failed; see `nbbatch.backends.base.Runner.failed`."""
        return self._folder(id_).failed() if _is_name(id_) else {}

    def explain(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Say why jobs wait; here nothing does, for there is no queue."""
        return {}

    def stop(self, ids: Sequence[str], reason: str) -> None:
        """Ask jobs to end; see `nbbatch.backends.base.Runner.stop`."""
        with as_backend_errors():
            for id_, status in self.describe(ids).items():
                if not status.state.final:
                    self._folder(id_).stop(reason)

    def forget(self, id_: str) -> None:
        """Leave nothing on disk of a job that has ended."""
        status = self._describe(id_)
        if status is not None and status.state.final:
            self._folder(id_).remove()

    def log(self, id_: str) -> Iterator[str]:
        """Yield the lines of the last attempt's output."""
        return self._folder(id_).log() if _is_name(id_) else iter(())

    def plan(self, launch: Launch) -> Sequence[Call]:
        """Return the process that `start` would start; its environment adds to the kernel's."""
        program = self._home / "worker" / launch.worker / "__main__.py"
        parameters = {
            "command": [_executable(launch.options), str(program)],
            "directory": _directory(launch),
            "environment": masked(self._added(launch), launch.secret),
            "secrets": [list(secret) for secret in launch.options.secrets or ()],
            "attempts": launch.options.retries + 1,
            "timeout": launch.time_limit,
            "given": machine.given(launch.options, os.environ),
            **({"nodes": launch.options.nodes} if launch.options.nodes > 1 else {}),
            **({"children": launch.children} if launch.children > 1 else {}),
        }
        return [Call("local", "spawn", parameters)]

    def _start(self, launch: Launch) -> None:
        directory = _directory(launch)
        if not Path(directory).is_dir():
            raise InvalidRequestError(
                "the job was not started",
                f"its working directory does not exist: {directory}",
                "change to one that does: %cd ~",
            )
        worker = unpacked(self._home, self._store, launch.worker)
        now = time.time()
        about = {
            "name": launch.name,
            "given": machine.given(launch.options, os.environ),
            "nodes": launch.options.nodes,
            "children": launch.children if launch.children > 1 else 0,
        }
        folder = self._folder(launch.unique)
        lock = folder.create(now, about)
        if lock is None:
            return
        try:
            arguments = self._arguments(launch, directory, worker, now)
            _spawn(arguments, self._environment(launch), lock)
        except BaseException:
            folder.remove()
            raise
        finally:
            os.close(lock)

    def _arguments(self, launch: Launch, directory: str, worker: Path, now: float) -> list[str]:
        options = launch.options
        limit = options.memory << 20 if machine.limits_memory() else 0
        plan = {
            "folder": self._folder(launch.unique).path,
            "directory": directory,
            "executable": _executable(options),
            # By its file: a folder is run through `runpy`, which takes a while to load.
            "worker": worker / "__main__.py",
            "attempts": options.retries + 1,
            "attempt_name": keys.ENV_BATCH_ATTEMPT,
            "final_code": spec.EXIT_REFUSED,
            "retry_on": ",".join(options.retry_on or ()),
            "after": ",".join(launch.depends_on),
            "timeout": launch.time_limit or 0,
            "memory": limit,
            "grace": self._grace,
            "temp_name": keys.ENV_TEMPDIR,
            "submitted_at": now,
            "nodes": options.nodes,
            "node_names": ",".join(_NODE_NAMES),
            "gpus": options.gpu if machine.gpus(os.environ) else 0,
            "children": launch.children if launch.children > 1 else 0,
            "room": machine.room(options, os.environ),
            "child_names": ",".join(_CHILD_NAMES),
        }
        return [f"{name}={value}" for name, value in plan.items()]

    def _environment(self, launch: Launch) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OWN)}
        if launch.options.nodes > 1:
            inherited = {k: v for k, v in inherited.items() if k not in _TORCH}
        return {**inherited, **self._added(launch), **variables(launch.options, self._secrets)}

    def _added(self, launch: Launch) -> dict[str, str]:
        return {
            **_gpus(launch),
            **_for_nodes(launch.options),
            keys.ENV_LIBRARIES: str(self._home / "libraries"),
            **launch.environment,
            keys.ENV_BATCH_JOB: launch.unique,
            keys.ENV_BATCH_QUEUE: _PLACE,
            keys.ENV_BATCH_CE: _PLACE,
            keys.ENV_GIVEN: json.dumps(machine.given(launch.options, os.environ)),
        }

    def _describe(self, id_: str) -> Status | None:
        if id_ in self._ended:
            return self._ended[id_]
        status = self._folder(id_).status() if _is_name(id_) else None
        if status is not None and status.state.final:
            self._ended[id_] = status
        return status

    def _folder(self, id_: str) -> JobFolder:
        job, _, child = id_.partition(":")
        if child.isdecimal():
            return JobFolder(self._home / _PLACE / job).child(int(child))
        job, _, node = id_.partition("#")
        if node.isdecimal():
            return JobFolder(self._home / _PLACE / job).node(int(node))
        return JobFolder(self._home / _PLACE / id_)


def _spawn(arguments: list[str], environment: Mapping[str, str], lock: int) -> None:
    """Start the supervisor; nothing of this process but the lock goes with it."""
    python = sys.executable or "python3"
    pid = os.posix_spawnp(
        python,
        [python, "-I", "-S", _SUPERVISOR, *arguments],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, lock, LOCK_FD),
            *((os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(3)),
        ],
        setsid=True,
        setsigdef=DEFAULTS,
        setsigmask=(),
    )
    # It forks at once and ends: the wait is short, but nobody should wait for it here.
    threading.Thread(target=_collect, args=(pid,), daemon=True).start()


def _collect(pid: int) -> None:
    # Whoever waits for any child may have been faster.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _gpus(launch: Launch) -> dict[str, str]:
    """Return the variable with the GPUs of a job, or of all children that run at a time."""
    options = launch.options
    at_once = machine.room(options, os.environ) if launch.children > 1 else options.nodes
    return machine.visible(options, os.environ, at_once)


def _for_nodes(options: Options) -> dict[str, str]:
    """Return what all nodes of a job are told, as Batch and `torch.distributed` name it."""
    if options.nodes == 1:
        return {}
    return {
        keys.ENV_BATCH_NUM_NODES: str(options.nodes),
        keys.ENV_BATCH_MAIN_NODE_INDEX: str(MAIN),
        "MASTER_ADDR": ADDRESS,
    }


def _directory(launch: Launch) -> str:
    return launch.directory or str(Path.cwd())


def _executable(options: Options) -> str:
    if options.python and not options.executable and options.python != fingerprint.python():
        return environments.interpreter(options.python) or sys.executable
    return options.executable or sys.executable or "python3"


def _is_name(id_: str) -> bool:
    """Tell whether `id_` can be a job of this runner, and is no path to somewhere else."""
    return bool(id_) and not id_.startswith(".") and "/" not in id_ and "\0" not in id_
