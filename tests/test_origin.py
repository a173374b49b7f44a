"""Which notebook this is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from nbbatch import batch, origin
from nbbatch.session import Session


@pytest.fixture
def kernel(shell: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the shell one of a kernel that was started with this connection file."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    file = SimpleNamespace(connection_file="/run/kernel-1234-abcd.json")
    shell.kernel = SimpleNamespace(parent=file)
    origin._of_colab.cache_clear()
    yield shell
    del shell.kernel
    origin._of_colab.cache_clear()


def test_outside_notebooks_there_is_none(shell: Any) -> None:
    """A terminal is no notebook."""
    assert origin.notebook() == ""


def test_a_kernel_without_a_path_has_its_own_id(kernel: Any) -> None:
    """At least this kernel's jobs are found, after its restart too."""
    assert origin.notebook() == "kernel:1234-abcd"


def test_a_jupyter_server_tells_the_path(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter's servers put it into the environment."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ann/../ann/a.ipynb")

    assert origin.notebook() == "/home/ann/a.ipynb"


def test_vs_code_tells_the_path(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """VS Code puts it into the namespace; that is newer than the environment."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/elsewhere/b.ipynb")
    kernel.user_ns["__vsc_ipynb_file__"] = "/home/ann/c.ipynb"

    assert origin.notebook() == "/home/ann/c.ipynb"


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Serve sessions as Colab does; the list is what it answers."""
    said: list[Any] = [{"path": "fileId=abc", "name": "Untitled.ipynb"}]

    class Sessions(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(said).encode()
            self.send_response(200 if self.path == "/api/sessions" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    # The real one answers at once, or is no help; this one has as long as it takes.
    monkeypatch.setattr(origin, "_SECONDS", 60.0)
    server = HTTPServer(("127.0.0.1", 0), Sessions)
    monkeypatch.setenv("COLAB_JUPYTER_IP", "127.0.0.1")
    monkeypatch.setenv("KMP_TARGET_PORT", str(server.server_port))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield said
    server.shutdown()
    thread.join()
    server.server_close()


def test_colab_tells_the_file_s_id(kernel: Any, colab: list[Any]) -> None:
    """Its id stays when the notebook gets another name; it is asked once."""
    assert origin.notebook() == "colab:fileId=abc"
    colab.clear()
    assert origin.notebook() == "colab:fileId=abc"


def test_a_colab_that_says_nothing_is_no_obstacle(kernel: Any, colab: list[Any]) -> None:
    """Then the kernel's id is used."""
    colab.clear()

    assert origin.notebook() == "kernel:1234-abcd"


def test_jobs_are_noted_with_their_notebook(kernel: Any, local_session: Session) -> None:
    """A job knows where it was started."""

    @batch
    def one() -> int:
        return 1

    job = one.submit()
    assert job.result(60) == 1

    assert [record.notebook for record in local_session.jobs()] == ["kernel:1234-abcd"]
