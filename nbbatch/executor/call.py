"""One call's future: it is done when the worker says so, and unpickled when it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from nbbatch.executor.sharing import Shared
from nbbatch.executor.waiting import patiently
from nbbatch.futures.job import Job
from nbbatch.futures.returning.unread import Unread
from nbbatch.wire.graph import Graph

R = TypeVar("R")

#: Gives a call's value, or what it raised.
Source = Callable[[], "tuple[Any, BaseException | None]"]


class Call(Future, Generic[R]):  # type: ignore[type-arg]
    """What `BatchExecutor.submit` returns.

    Attributes
    ----------
    job
        The worker that was given the call; None before.
    """

    def __init__(self, graph: Graph | None, shared: Shared | None = None) -> None:
        super().__init__()
        self._shared = shared
        if graph is not None and shared is not None:
            shared.hold(graph)
        #: The function and its arguments, until it is done: another worker may have to be given it.
        self.graph: Graph | None = graph
        self.job: Job[Any] | None = None
        self._source: Source | None = None
        self._taking = threading.Lock()

    def result(self, timeout: float | None = None) -> R:
        """Return the value; see `concurrent.futures.Future.result`."""
        self._take(timeout)
        error = super().exception(0)
        if error is None:
            value: R = super().result(0)
            return value
        try:
            # From here: a notebook shows no frames of ours, but those of the library's.
            raise error
        finally:
            # They would hold each other.
            del error

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the call raised, or None."""
        self._take(timeout)
        return super().exception(0)

    @property
    def raised(self) -> bool:
        """Whether it is done and has no value; nothing is unpickled for that."""
        return self._exception is not None

    def cancel(self) -> bool:
        """Cancel it, where no worker has been given it; see `concurrent.futures.Future.cancel`."""
        cancelled = super().cancel()
        if cancelled:
            self._let_go()
        return cancelled

    def come(self, source: Source, *, well: bool) -> None:
        """Be done: `source` gives the value, or what was raised."""
        self._source = source
        self._let_go()
        if well:
            self.set_result(None)
        else:
            # Whoever waits for the first exception must see that it is one.
            self.set_exception(Unread())

    def fail(self, error: BaseException) -> None:
        """Be done without having returned or raised anything itself."""
        self._let_go()
        self.set_exception(error)

    def _let_go(self) -> None:
        graph, self.graph = self.graph, None
        if graph is not None and self._shared is not None:
            self._shared.release(graph)

    def _is_done(self, timeout: float | None) -> bool:
        with self._condition:
            return self._condition.wait_for(self.done, timeout)

    def _take(self, timeout: float | None) -> None:
        if not self.done():
            patiently(self._is_done, timeout)
        # It says why it is not, where it is not.
        super().exception(0)
        with self._taking:
            if self._source is None:
                return
            value, error = self._source()
            self._source = None
            with self._condition:
                self._result, self._exception = value, error
