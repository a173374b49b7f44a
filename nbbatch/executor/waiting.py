"""Waiting in a cell for an executor: its card hears Cancel meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from nbbatch.widgets import can_be_live, serving

__all__ = ["patiently"]

#: Seconds between two looks at what the page asks.
_STEP = 0.1


def patiently(wait: Callable[[float | None], bool], timeout: float | None = None) -> bool:
    """Wait, and serve the page of a cell that runs meanwhile; tell whether the wait is over.

    Parameters
    ----------
    wait
        Waits for so many seconds, None for ever, and tells whether it is over.
    """
    if threading.current_thread() is not threading.main_thread() or not can_be_live():
        return wait(timeout)
    end = None if timeout is None else time.monotonic() + timeout
    with serving() as serve:
        while True:
            left = _STEP if end is None else max(0.0, min(_STEP, end - time.monotonic()))
            if wait(left):
                return True
            if end is not None and time.monotonic() >= end:
                return False
            serve()
