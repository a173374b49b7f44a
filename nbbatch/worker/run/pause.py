"""The pause before a further attempt: no backend makes one, so the worker waits."""

from __future__ import annotations

import signal
import time
from typing import Any

#: What ends a pause.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Woken(BaseException):
    """A signal came."""


def wait(seconds: float) -> str:
    """Wait; return the name of the signal that ended it, ``""`` where none did."""
    before = {number: signal.signal(number, _wake) for number in ENDING}
    try:
        time.sleep(seconds)
    except _Woken as woken:
        return str(woken)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return ""


def _wake(number: int, _: Any) -> None:
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    raise _Woken(signal.Signals(number).name)


def words(seconds: float, attempt: int) -> str:
    """Say how long is waited."""
    minutes = seconds / 60
    long = f"{minutes:.3g} min" if minutes >= 1 else f"{seconds:.3g} s"
    return f"waits {long} before attempt {attempt}"
