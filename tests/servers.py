"""Real servers for tests: moto's AWS, and one that answers as the test says.

A pytest plugin: ``pytest_plugins = ["tests.servers"]`` in the conftest makes its fixtures known.
"""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from moto_server import moto_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from email.message import Message

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
REGION = "us-east-1"


class Asked(NamedTuple):
    """A request as the server received it."""

    method: str
    path: str
    headers: Message
    body: bytes
    #: The client's port: equal on equal connections.
    port: int


class Answer(NamedTuple):
    """What the server sends back; ``length`` other than the body's own breaks the promise."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    length: int | None = None


class Server(NamedTuple):
    """A running server and what it was asked."""

    url: str
    asked: list[Asked]


@contextlib.contextmanager
def serve(reply: Callable[[Asked], Answer | None]) -> Iterator[Server]:
    """Run a server on loopback whose answers `reply` gives; None hangs up instead."""
    asked: list[Asked] = []
    http = _Http(("127.0.0.1", 0), _handler(reply, asked))
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{http.server_port}", asked)
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    # Else the sixth who comes at once is asked to come again, a second later.
    request_queue_size = 128


def _handler(
    reply: Callable[[Asked], Answer | None], asked: list[Asked]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One write for head and body: else each waits for the other's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Asked(self.command, self.path, self.headers, body, self.client_address[1])
            asked.append(request)
            answer = reply(request)
            if answer is None:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            size = len(answer.body) if answer.length is None else answer.length
            always = {"Content-Length": str(size), "Date": self.date_time_string()}
            for name, value in {**always, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.close_connection = size != len(answer.body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture(scope="session")
def moto() -> str:
    """Give the address of a moto server that lives as long as the test run."""
    return moto_address()


@pytest.fixture
def bucket(moto: str, request: pytest.FixtureRequest) -> str:
    """Give the name of a bucket that no other test uses."""
    name = f"bucket-{abs(hash(request.node.nodeid))}"
    aws(moto, "s3").create_bucket(Bucket=name)
    return name


def aws(endpoint: str, service: str, region: str = REGION) -> Any:
    """Open a boto3 client that talks to `endpoint`."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
