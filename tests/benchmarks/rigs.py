"""Where the benchmarks run jobs: this machine, or an AWS of moto's S3 and jobs as processes."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import start_new_kernel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "backends"))

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def local(folder: Path) -> Iterator[None]:
    """Have the environment choose the local backend, in a directory of its own."""
    os.environ.update(NBBATCH_HOME=str(folder / "home"), NBBATCH_BACKEND="local")
    yield


@contextlib.contextmanager
def aws(folder: Path) -> Iterator[None]:
    """Have the environment choose the aws backend, with servers in this process."""
    import aws_rig

    # Else moto prints a line for each request between the figures.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with aws_rig.aws_rig(folder) as rig:
        os.environ.update(
            NBBATCH_HOME=str(folder / "home"),
            NBBATCH_BACKEND="aws",
            NBBATCH_S3_ROOT=f"s3://{rig.bucket}/root",
            NBBATCH_QUEUE="queue",
            NBBATCH_IAM_ROLE=aws_rig.ROLE,
        )
        yield


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """Run moto's server in a process of its own and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


@contextlib.contextmanager
def kernel() -> Iterator[Callable[..., Any]]:
    """Start a kernel with nbbatch loaded; yield what runs code in it to the end.

    Its second argument, an expression, is what it returns the value of, as text.
    """
    manager, client = start_new_kernel(kernel_name="python3")

    def run(code: str, expression: str = "None") -> str:
        reply: Any = client.execute_interactive(
            code,
            timeout=120,
            output_hook=lambda message: None,
            user_expressions={"value": expression},
        )
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"]["traceback"]))
        return str(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])

    try:
        run("%load_ext nbbatch")
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
