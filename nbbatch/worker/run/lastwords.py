"""Text that an abrupt end would lose: in C's own buffers, in ours, and where a crash happened."""

from __future__ import annotations

import faulthandler
import functools
import os
import sys
from typing import Any, Callable

_STDERR = 2
_ENDINGS = ("_exit", "abort")


def keep(flush: Callable[[], None]) -> None:
    """Have crashes say where they happened, and ends without clean-up flush first.

    Parameters
    ----------
    flush
        Sends the text that waits in this process.
    """
    faulthandler.enable(_STDERR)
    for name in _ENDINGS:
        setattr(os, name, _flushing(getattr(os, name), flush))


def _flushing(ending: Callable[..., Any], flush: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(ending)
    def end(*args: Any, **kwargs: Any) -> Any:
        flush()
        return ending(*args, **kwargs)

    return end


def flush_native() -> None:
    """Write out what C code has printed; towards a pipe it waits in a large buffer."""
    if "ctypes" not in sys.modules and not any(map(_is_native, list(sys.modules.values()))):
        return
    try:
        import ctypes

        ctypes.CDLL(None).fflush(None)
    # A Python built without it, or a C library that can't be found.
    except (ImportError, OSError, AttributeError):
        pass


def _is_native(module: Any) -> bool:
    """Tell whether a module is compiled, and not one of Python's own."""
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.endswith(".so") and "lib-dynload" not in file
