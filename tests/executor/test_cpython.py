"""CPython's test suite for executors, over `BatchExecutor(backend="local")`."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import unittest
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest

from nbbatch.errors import NbbatchError
from nbbatch.executor.call import Call
from tests.executor import cpython
from tests.executor.stages import warm

pytestmark = pytest.mark.cpython

_FOLDER = tempfile.TemporaryDirectory()
cpython.prepare(Path(_FOLDER.name))
MODULES = list(cpython.modules())

#: What those classes test that others leave open: they are run over a pool of each kind.
OVER_POOLS = (
    "InitializerMixin",
    "FailingInitializerMixin",
    "ProcessPoolShutdownTest",
    "WaitTests",
    "AsCompletedTests",
    "ProcessPoolExecutorTest",
    "ExecutorDeadlockTest",
)
#: Those that test the future alone.
OVER_FUTURES = ("FutureTests",)

SHARED = "it shares a lock or an event of this machine's with the call; a job is on another"
LEFT_OUT = {
    "ProcessPoolShutdownTest.test_processes_terminate": SHARED,
    "ProcessPoolExecutorTest.test_saturation": SHARED,
    "ProcessPoolExecutorTest.test_ressources_gced_in_workers": SHARED,
    "ProcessPoolExecutorTest.test_killed_child": (
        "a worker that dies takes its calls with it, and no others: "
        "test_trouble.py::test_a_worker_that_dies"
    ),
    "ProcessPoolExecutorTest.test_traceback": (
        "it looks for the remote traceback as a text behind the exception; a job's exception has "
        "it as its own traceback: test_trouble.py::test_exceptions"
    ),
    "ProcessPoolExecutorTest.test_max_tasks_per_child_defaults_to_spawn_context": (
        "workers have no start method"
    ),
    "ExecutorDeadlockTest.test_error_during_result_unpickle_in_result_handler": (
        "what can't be rebuilt here raises why, and breaks nothing: "
        "test_trouble.py::test_what_does_not_pickle"
    ),
    "ExecutorDeadlockTest.test_exit_during_result_unpickle_in_result_handler": (
        "the same: results are unpickled by whoever asks for them"
    ),
}


@pytest.fixture(scope="module", autouse=True)
def tracker() -> None:
    """Start what multiprocessing keeps for as long as this process lives: it is no test's own."""
    resource_tracker.ensure_running()


#: Cases that take it that every worker begins at once: here each is a job, which takes a while.
AT_ONCE = (
    "test_first_completed",
    "test_first_exception",
    "test_first_exception_some_already_complete",
    "test_map_timeout",
    "test_timeout",
)


class Over(cpython.Mixin):
    """What is different for all classes."""

    #: Seconds until something counts as a deadlock.
    TIMEOUT = 120.0

    def setUp(self) -> None:
        """Have as many workers as such a case has calls."""
        super().setUp()  # type: ignore[misc]
        if self._testMethodName in AT_ONCE:  # type: ignore[attr-defined]
            with tempfile.TemporaryDirectory() as folder:
                warm(self.executor, 3, Path(folder))  # type: ignore[attr-defined]

    @pytest.fixture(autouse=True)
    def swapped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let workers find the tests, and scripts this executor."""
        monkeypatch.setenv("PYTHONPATH", _FOLDER.name)
        for module in MODULES:
            if hasattr(module, "BrokenProcessPool"):
                # A worker that dies breaks no pool: its calls raise why it did.
                monkeypatch.setattr(module, "BrokenProcessPool", NbbatchError)
            if hasattr(module, "assert_python_ok"):
                monkeypatch.setattr(module, "assert_python_ok", cpython.run_script)

    @contextlib.contextmanager
    def _assert_logged(self, text: str) -> Iterator[None]:
        # What an initializer says is in its job's log.
        yield


class Future(Call[Any]):
    """Ours, under the name that the tests expect in a text."""

    def __init__(self) -> None:
        super().__init__(None)


class OverFutures:
    """The future that `submit` returns, in the place of the plain one."""

    @pytest.fixture(autouse=True)
    def swapped(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let the tests make ours, and read what is logged where it goes by itself: in stderr."""
        for module in MODULES:
            if hasattr(module, "FutureTests"):
                monkeypatch.setattr(module, "Future", Future)
        logger, handler = logging.getLogger("concurrent.futures"), logging.lastResort
        assert handler is not None
        logger.addHandler(handler)
        yield
        logger.removeHandler(handler)


def _found(name: str) -> Any:
    return next((getattr(m, name) for m in MODULES if hasattr(m, name)), None)


def _base() -> Any:
    return _found("BaseTestCase") or unittest.TestCase


def _without_left_out(name: str) -> dict[str, Any]:
    """Return what stands in the place of a class's cases that are left out."""
    found = {}
    for case, reason in LEFT_OUT.items():
        owner, _, method = case.partition(".")
        if owner == name:
            found[method] = unittest.skip(reason)(lambda self: None)
    return found


if MODULES:
    for _name in OVER_POOLS:
        _bases = (Over, _found(_name), _found("ExecutorMixin"), _base())
        globals()[f"Test{_name}"] = type(f"Test{_name}", _bases, _without_left_out(_name))
    for _name in OVER_FUTURES:
        _bases = (OverFutures, _found(_name))
        globals()[f"Test{_name}"] = type(f"Test{_name}", _bases, _without_left_out(_name))


def test_they_are_there() -> None:
    """The tests were found: in the interpreter, or where a distribution keeps them."""
    if not MODULES and "NBBATCH_REQUIRE_CPYTHON" not in os.environ:
        pytest.skip("this interpreter has no tests of its own (.ci/install-cpython-tests)")
    assert MODULES


@pytest.mark.skipif(not MODULES, reason="this interpreter has no tests of its own")
@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_left_out_exists(case: str) -> None:
    """Each case that is left out is one of the suite's."""
    owner, _, method = case.partition(".")
    assert callable(getattr(_found(owner), method, None))
    assert LEFT_OUT[case]
