"""Real kernels, each forked from one process that has loaded what a kernel loads.

Two hundred of them are started and killed: what they load is the same each time, and takes longer
than all that is looked at here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_core.utils import ensure_event_loop

from tests.integration.test_awaiting import PATIENCE, Kernel

_TEMPLATE = """
import contextlib, importlib, os, signal, sys

for name in sys.argv[1:]:
    with contextlib.suppress(Exception):
        importlib.import_module(name)
from ipykernel.kernelapp import IPKernelApp

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        quiet = ["--log-level=ERROR", "--HistoryManager.enabled=False"]
        IPKernelApp.launch_instance(argv=["-f", line.strip(), *quiet])
        os._exit(0)
    print(pid, flush=True)
"""


class Forked(Kernel):
    """A kernel that can be killed."""

    def __init__(self, pid: int, client: BlockingKernelClient) -> None:
        super().__init__(None, client)
        self._pid = pid

    def kill(self) -> None:
        """End it as nothing can be prepared for."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)


class Template:
    """The process that kernels are forked from; safe to use from any thread."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self._folder = folder
        self._process = process
        self._lock = threading.Lock()
        self._count = 0

    @contextlib.contextmanager
    def kernel(self) -> Iterator[Forked]:
        """Start a kernel, with nbbatch, in this process's environment; kill it at the end."""
        with contextlib.ExitStack() as stack:
            # Each thread that speaks with kernels gets one.
            stack.callback(lambda: ensure_event_loop().close())
            kernel = None
            while kernel is None:
                kernel = self._ready(stack)
            kernel.run("%load_ext nbbatch\n%colors nocolor\n%batch jobs")
            yield kernel

    def _ready(self, stack: contextlib.ExitStack) -> Forked | None:
        """Start a kernel; return None where it has no time for its client's first heartbeats."""
        file, pid = self._forked()
        client = BlockingKernelClient(connection_file=file)
        client.load_connection_file()
        client.start_channels()
        stack.callback(client.stop_channels)
        kernel = Forked(pid, client)
        stack.callback(kernel.kill)
        try:
            client.wait_for_ready(timeout=PATIENCE)
        except RuntimeError:
            return None
        return kernel

    def _forked(self) -> tuple[str, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._count += 1
            name = str(self._folder / str(self._count))
            # Not on ports, which somebody else may be faster to take.
            file, _ = write_connection_file(f"{name}.json", transport="ipc", ip=name)
            self._process.stdin.write(file + "\n")
            self._process.stdin.flush()
            return file, int(self._process.stdout.readline())


@contextlib.contextmanager
def template(modules: Sequence[str] = ()) -> Iterator[Template]:
    """Open a template.

    Parameters
    ----------
    modules
        What its kernels would load anyway.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _TEMPLATE, *modules],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    # The names of sockets have to be short.
    with process, tempfile.TemporaryDirectory(prefix="kernels-") as folder:
        yield Template(Path(folder), process)
