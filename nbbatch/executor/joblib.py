"""`BatchExecutor` as a backend of joblib's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from joblib._parallel_backends import AutoBatchingMixin
from joblib.parallel import ParallelBackendBase

from nbbatch.executor.executor import BatchExecutor

__all__ = ["NbbatchBackend"]


class NbbatchBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Has joblib's calls made by the workers of an executor.

    One executor serves all calls of `joblib.Parallel` under the same ``parallel_config``: its
    workers stay from one to the next.

    Parameters
    ----------
    settings
        See `BatchExecutor`.
    """

    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._settings = settings
        self._executor: BatchExecutor | None = None
        self.parallel: Any = None

    def __reduce__(self) -> Any:
        # A call that carries it along needs no executor of its own.
        return NbbatchBackend, (self.nesting_level, self.inner_max_num_threads)

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many calls may be made at a time; counted from the most for negative numbers.

        For one, joblib makes the calls itself, here: that is what ``n_jobs=1`` asks for, and what a
        single worker elsewhere is not for.
        """
        workers = self._workers(n_jobs)
        return max(workers, 2) if n_jobs is not None and n_jobs < 0 else workers

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """Make ready for a call of `Parallel`; return how many calls may be made at a time."""
        self.parallel = parallel
        wanted = self._workers(n_jobs)
        if self._executor is None or self._executor._max_workers != wanted:
            self._close()
            self._executor = BatchExecutor(**{**self._settings, "max_workers": wanted})
            # What joblib takes for a call's own time is also the way to the worker and back.
            self.MIN_IDEAL_BATCH_DURATION = 2 * self._executor.worth
            self.MAX_IDEAL_BATCH_DURATION = 20 * self._executor.worth
        return self.effective_n_jobs(n_jobs)

    def submit(
        self, func: Callable[[], Any], callback: Callable[[Future[Any]], Any] | None = None
    ) -> Future[Any]:
        """Have some calls made; joblib is told through `callback`."""
        assert self._executor is not None
        call = self._executor.submit(func)
        if callback is not None:
            call.add_done_callback(callback)
        return call

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """Return what came of the calls."""
        return out.result()

    def terminate(self) -> None:
        """End a call of `Parallel`; the workers stay for the next, until nothing comes any more."""
        self.reset_batch_stats()
        # They hold each other: whoever is done with both is rid of the workers at once.
        self.parallel = None

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Drop the calls of a `Parallel` in which one has failed."""
        if self._executor is not None:
            self._executor.terminate_workers()
            self._executor = None
        if ensure_ready and self.parallel is not None:
            self.configure(self.parallel.n_jobs, self.parallel)

    def _workers(self, n_jobs: int | None) -> int:
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None or n_jobs > 0:
            return n_jobs or 1
        most = BatchExecutor(**self._settings)._max_workers
        return max(most + 1 + n_jobs, 1)

    def _close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None
