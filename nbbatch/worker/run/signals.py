"""Signals in the child: what asks the job to end, and what the code leaves behind."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Optional

from nbbatch.worker.run import failure

_limit = float("inf")


class Terminated(KeyboardInterrupt):
    """A signal from outside asked the job to end."""


def set_limit(moment: float) -> None:
    """Note when the code's time is over, on the clock of `time.monotonic`; before the fork."""
    global _limit
    _limit = moment


def limit() -> float:
    """Return that moment."""
    return _limit


def out_of_time() -> bool:
    """Tell whether the code's time is over: it is then asked to end for that."""
    return time.monotonic() >= _limit


def listen() -> None:
    """Raise `Terminated` where the code is, once it is asked to end."""
    signal.signal(signal.SIGTERM, _terminate)


def be_plain_in_forks() -> None:
    """Have processes that the code forks end by SIGTERM at once, as everywhere; call it once.

    A pool ends its workers by it and waits for them. An exception in the place of the signal may
    be swallowed wherever it comes: the worker would live on, and the pool wait for ever.
    """
    os.register_at_fork(after_in_child=_plain)


def _plain() -> None:
    if signal.getsignal(signal.SIGTERM) == _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: Any) -> None:
    ignore()
    raise Terminated


def ignore() -> None:
    """Take no notice of being asked to end: it is faster to end than to be ended."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def quiet() -> None:
    """Take the code's own handlers away: a timer of its may still be running."""
    for number in signal.valid_signals():
        if number != signal.SIGTERM and callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_IGN)
    if signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
        listen()


def terminated(error: Optional[BaseException]) -> bool:
    """Tell whether an exception came of being asked to end, whatever was made of it."""
    return any(isinstance(behind, Terminated) for behind, _ in failure.chain(error))
