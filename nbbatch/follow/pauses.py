"""How the wait for a job passes: the thread blocks, or the kernel's event loop runs.

A kernel that runs a cell which awaits goes on serving what its page asks for; one whose cell
blocks does so when the cell ends. The code that waits is the same for both, a coroutine: with
`blocking` pauses it never gives the control away, and `completed` runs it like a function.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from nbbatch.futures.job import Job

__all__ = ["Pause", "Pauses", "awaiting", "blocking", "completed", "kernel_ends", "stoppable"]

T = TypeVar("T")

#: Waits a moment for the end of a job, and tells whether it has come. Stop raises
#: `KeyboardInterrupt`, whoever cancels the task `asyncio.CancelledError`.
Pause = Callable[[], Awaitable[bool]]
Pauses = Callable[[Job[Any]], Pause]

#: Seconds between two looks in the main thread: short enough for Ctrl-C and displays.
_STEP = 0.05
#: Looks after Stop, a second in all, within which a kernel that is to end is told so. They are
#: counted, since on a busy machine all that is waited for takes its time.
_TOLD = 20


def completed(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that pauses by `blocking` only, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise RuntimeError("a coroutine that must not wait for an event loop did")


def blocking(job: Job[Any]) -> Pause:
    """Return a pause in which the thread waits."""

    async def pause() -> bool:
        return job.wait(_STEP)

    return pause


def awaiting(job: Job[Any]) -> Pause:
    """Return a pause in which the running event loop goes on; the job's end cuts it short."""
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()

    def wake() -> None:
        # Nobody waits any more where the loop has ended.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(woken.set)

    async def pause() -> bool:
        if job.wait(0):
            return True
        timer = loop.call_later(_STEP, woken.set)
        with _noted(wake) as pressed:
            try:
                await woken.wait()
            finally:
                timer.cancel()
                woken.clear()
        if pressed:
            raise KeyboardInterrupt
        return job.wait(0)

    job.add_done_callback(lambda _: wake())
    return pause


async def kernel_ends(pause: Pause) -> bool:
    """Tell whether Stop came from no person, but from whoever ends or restarts the kernel.

    It is their first step: the kernel is interrupted, and then told to end.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:
        return False
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        for _ in range(_TOLD):
            if getattr(shell, "exit_now", False):
                return True
            if await pause():
                return False
    return False


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Have Stop raise `KeyboardInterrupt` in code that runs in an event loop, as elsewhere.

    The kernel has it cancel the task of a cell that awaits: once, and not before the next await.
    """
    with _handling(signal.default_int_handler):
        yield


@contextlib.contextmanager
def _noted(wake: Callable[[], None]) -> Iterator[list[int]]:
    """Take note of Stop while the event loop runs: an exception would end the loop itself."""
    pressed: list[int] = []

    def note(number: int, _frame: object) -> None:
        pressed.append(number)
        wake()

    with _handling(note):
        yield pressed


@contextlib.contextmanager
def _handling(handler: Callable[[int, Any], Any]) -> Iterator[None]:
    # Only the main thread has signals; a cell may run in another, in a subshell.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
