"""`BatchExecutor`: an executor of `concurrent.futures` whose workers are jobs."""

from __future__ import annotations

import functools
import itertools
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import fields
from typing import Any, TypeVar

from nbbatch.calling import watched
from nbbatch.capture.values import graph_of_call
from nbbatch.config import Settings
from nbbatch.errors import NbbatchError, OptionError
from nbbatch.executor.call import Call
from nbbatch.executor.pool import Pool
from nbbatch.executor.showing import Shown, Tally
from nbbatch.executor.starting import Workers
from nbbatch.futures import Job
from nbbatch.session import session_with
from nbbatch.wire.calls import star

__all__ = ["BatchExecutor"]

R = TypeVar("R")

#: Workers at a time on AWS, where none are asked for.
_MOST = 32
#: Seconds without a call after which a worker ends by itself.
_IDLE = 60.0


class BatchExecutor(Executor):
    """Makes calls in jobs that stay, and get the next call as soon as they are free.

    ::

        with BatchExecutor(8, cpu=2, memory=8000) as executor:
            calls = [executor.submit(fit, x) for x in xs]
            for call in as_completed(calls):
                print(call.result())

    A worker is a job: it is started when a call waits and no other worker is free, and ends when
    nothing has come for a while. So a call costs no start of its own, and many short ones that
    wait together go to a worker together. A call whose worker dies raises the job's error, and
    the other calls go on; with ``retries`` it is made again in the job's next attempt. An executor
    lives in this process: what has to outlive it is for ``f.submit`` and ``f.map``.

    Parameters
    ----------
    max_workers
        How many jobs run at most at a time: by default as many as this machine has room for on
        the local backend, 32 elsewhere.
    initializer, initargs
        What each worker calls first. Where it raises, the executor is broken: all calls raise
        `BrokenExecutorError`, whose cause is what was raised.
    max_tasks_per_child
        How many calls a worker makes at most before another takes its place.
    idle_timeout
        Seconds without any call after which a worker ends by itself, and costs nothing any more.
        The next call starts another one.
    settings
        Any option of `nbbatch.batch` (``cpu``, ``image``, ...; ``timeout`` is that of a worker,
        not of a call), and any setting of `nbbatch.configure` (``backend``, ``s3_root``, ...) that
        is to differ from this process's.

    Raises
    ------
    OptionError, ConfigurationError
        An unknown name, or a value of the wrong kind or out of range.
    NotPicklableError
        The initializer can't travel.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: Sequence[Any] = (),
        max_tasks_per_child: int | None = None,
        idle_timeout: float = _IDLE,
        **settings: Any,
    ) -> None:
        _check("max_workers", max_workers)
        _check("max_tasks_per_child", max_tasks_per_child)
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        places = {field.name for field in fields(Settings)}
        session = session_with(**{k: v for k, v in settings.items() if k in places})
        options = session.options({k: v for k, v in settings.items() if k not in places})
        _check_nodes(options.nodes)
        session.backend.runner.check(options)
        #: Read by Dask, as that of every executor.
        self._max_workers = max_workers or _usual(session.backend.name, options.cpu)
        workers = Workers(session, options, (initializer, initargs), float(idle_timeout))
        self._shared = workers.shared
        self._tally = Tally()
        self._shown = shown = Shown(workers.about, self._tally)
        workers.hear = shown.write
        self._pool = pool = Pool(workers, self._max_workers, max_tasks_per_child, shown.look)
        shown.stop = pool.stop
        # Whoever forgets it gets the results of the calls that were submitted, all the same.
        weakref.finalize(self, self._pool.close).atexit = False

    def __repr__(self) -> str:
        return f"<BatchExecutor: {len(self.jobs)} of {self._max_workers} workers, {self._tally}>"

    @property
    def jobs(self) -> list[Job[Any]]:
        """The jobs that are its workers now."""
        return [member.job for member in self._pool.members]

    @property
    def worth(self) -> float:
        """Seconds of work that are worth the way to a worker and back."""
        return self._pool.pace.worth

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Call[R]:
        """Have a function called by a worker; return the call's future.

        The function and its arguments are pickled at once, but for large buffers: don't change
        an array before the call is done. What does not pickle is the call's exception.

        Raises
        ------
        BrokenExecutorError
            No worker can be started.
        RuntimeError
            The executor was shut down.
        """
        self._pool.check()
        try:
            call: Call[R] = Call(graph_of_call(fn, args, kwargs), self._shared)
        except NbbatchError as error:
            call = Call(None)
            call.fail(error)
            return call
        # Before anybody can be done with it: the pool shows what is counted by then.
        self._tally.add(call)
        try:
            self._pool.add(call)
        except BaseException:
            # It does not count.
            call.cancel()
            raise
        if not self._shown.open and watched():
            self._shown.begin()
            self._pool.tell(lambda: None)
        return call

    def map(
        self,
        fn: Callable[..., R],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **more: Any,
    ) -> Iterator[R]:
        """Return the values of calls with each item, in order; see `Executor.map`.

        Parameters
        ----------
        chunksize
            How many items make one call. Short ones go to a worker together anyway.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout, **more)
        items = zip(*iterables, strict=False)
        chunks = iter(lambda: tuple(itertools.islice(items, chunksize)), ())
        values = super().map(functools.partial(star, fn), chunks, timeout=timeout, **more)
        return _flat(values)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end the workers when all are done; see `Executor.shutdown`.

        Parameters
        ----------
        wait
            Return only then.
        cancel_futures
            Cancel the calls that no worker has been given yet.
        """
        self._pool.close(cancel=cancel_futures)
        if wait:
            self._pool.join()

    def terminate_workers(self) -> None:
        """Take no more calls, cancel those that wait, and stop the workers in the midst of theirs.

        What they were working off raises `JobCancelledError`.
        """
        self._shown.cancel()


def _flat(chunks: Iterator[list[R]]) -> Iterator[R]:
    """Yield what is in chunks, holding nothing that was yielded."""
    for chunk in chunks:
        chunk.reverse()
        while chunk:
            yield chunk.pop()


def _usual(backend: str, cpu: float) -> int:
    return max(1, int((os.cpu_count() or 1) / cpu)) if backend == "local" else _MOST


def _check(name: str, number: int | None) -> None:
    if number is not None and number <= 0:
        raise ValueError(f"{name} must be greater than 0")


def _check_nodes(nodes: int) -> None:
    if nodes > 1:
        raise OptionError(
            f"nodes = {nodes} can't be used with an executor",
            "a worker makes one call after the other, on one node",
            "f.submit(x) for a multi-node job, or leave out nodes",
        )
