"""CPython's own tests for executors: where they are, and `BatchExecutor` as they know executors.

They are run from the interpreter, or from the folder that NBBATCH_TEST_CPYTHON names where a
distribution has cut them out of it (`.ci/install-cpython-tests`); no copy of them is kept here.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import multiprocessing
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import test.support.script_helper

from nbbatch import BatchExecutor, attach, jobs
from nbbatch.futures import Job

NAME = "test.test_concurrent_futures"
#: Where they are a package, each has its classes in modules of its own.
_MODULES = ("init", "shutdown", "wait", "as_completed", "process_pool", "deadlock", "future")


class _Process:
    """A worker, as the tests know those of a process pool."""

    def __init__(self, job: Job[Any]) -> None:
        self._job = job

    def join(self) -> None:
        self._job.wait()


class _CallQueue:
    """Calls go to workers through the store: there is no thread that feeds a queue."""

    def join_thread(self) -> None:
        pass


class LocalExecutor(BatchExecutor):
    """`BatchExecutor` on this machine, with what the tests look for inside a process pool."""

    def __init__(self, max_workers: int | None = None, mp_context: Any = None, **more: Any) -> None:
        super().__init__(max_workers, backend="local", **more)

    _call_queue = _CallQueue()

    @property
    def _processes(self) -> dict[str, _Process]:
        # Those that were told to end are as good as gone.
        takes = [member.job for member in self._pool.members if not member.last]
        return {job.id: _Process(job) for job in takes}

    @property
    def _executor_manager_thread(self) -> Any:
        return self._pool._thread

    @property
    def _broken(self) -> bool:
        return self._pool.broken is not None


class Mixin:
    """In the place of the tests' own mixins: each gives a pool of another kind."""

    executor_type = LocalExecutor

    def get_context(self) -> Any:
        # As its processes, workers are started anew, when they are needed.
        return multiprocessing.get_context("spawn")


def prepare(folder: Path) -> None:
    """Make the tests importable here, and in workers, where the interpreter does not have them."""
    cut_out = os.environ.get("NBBATCH_TEST_CPYTHON", "")
    if importlib.util.find_spec(NAME) is not None or not cut_out:
        return
    home = folder / "test"
    home.mkdir(parents=True)
    own = Path(test.__file__).parent
    for path in (own / "__init__.py", own / "support", *Path(cut_out).glob("test_concurrent*")):
        (home / path.name).symlink_to(path)
    test.__path__.append(str(home))


def modules() -> Iterator[ModuleType]:
    """Yield the modules that hold the tests; none where there are none."""
    if importlib.util.find_spec(NAME) is None:
        return
    found = importlib.import_module(NAME)
    if not hasattr(found, "__path__"):
        yield found
        return
    for name in _MODULES:
        yield importlib.import_module(f"{NAME}.test_{name}")


def run_script(option: str, script: str, **more: Any) -> Any:
    """Run a test's script as it would be run, with this executor in the place of its own."""
    script = script.replace("from concurrent.futures import", f"from {__name__} import")
    path = os.pathsep.join([os.environ["PYTHONPATH"], *sys.path])
    return test.support.script_helper.assert_python_ok(
        option, script, **more, PYTHONPATH=path, NBBATCH_HOME=os.environ["NBBATCH_HOME"]
    )


def _print_logs() -> None:
    """Print what calls have printed, as a pool's processes do: here it is in their jobs' logs."""
    for each in jobs():
        print(attach(each.id).logs(), end="")


if sys.argv[0] == "-c":
    atexit.register(_print_logs)
