"""Which notebook this process runs: its path where that is known, else the kernel's own id.

Jobs are noted with it, so that a notebook finds its own again, after a restart of its kernel too.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any

__all__ = ["notebook"]

#: What a Jupyter server tells its kernels; what VS Code puts into the namespace of its.
_JUPYTER = "JPY_SESSION_NAME"
_VSCODE = "__vsc_ipynb_file__"
#: Where Colab's kernels find the server that started them.
_COLAB_HOST, _COLAB_PORT = "COLAB_JUPYTER_IP", "KMP_TARGET_PORT"
_SECONDS = 1.0


def notebook() -> str:
    """Return what tells this notebook from others; ``""`` where this is none."""
    shell = _shell()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return ""
    named = shell.user_ns.get(_VSCODE) or os.environ.get(_JUPYTER)
    if isinstance(named, str) and named:
        return _written(named)
    return _of_colab() or _of_kernel(kernel)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _written(path: str) -> str:
    # A path may be relative to the kernel's first directory, which the user may have left.
    return os.path.normpath(path) if os.path.isabs(path) else path


@functools.cache
def _of_colab() -> str:
    """Ask Colab's server, once; its path is the file's id, which outlives another name."""
    host, port = os.environ.get(_COLAB_HOST), os.environ.get(_COLAB_PORT, "9000")
    if not host:
        return ""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/api/sessions", timeout=_SECONDS) as said:
            return f"colab:{json.load(said)[0]['path']}"
    # A convenience that Colab does not promise: whatever it answers, jobs must start.
    except Exception:
        return ""


def _of_kernel(kernel: Any) -> str:
    """Name the kernel by its connection file, which stays the same when it is restarted."""
    file = str(getattr(getattr(kernel, "parent", None), "connection_file", ""))
    found = re.fullmatch(r"(?:kernel-)?(.+)\.json", Path(file).name)
    return f"kernel:{found[1] if found else os.getpid()}"
