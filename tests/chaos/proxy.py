"""An unreliable network: a proxy in front of a service of AWS that injects faults.

It knows S3 (answers in XML) and the JSON services apart by the request alone, and nothing of
nbbatch.
"""

from __future__ import annotations

import calendar
import contextlib
import email.utils
import http.client
import json
import re
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tests.chaos.faults import Asked, Faults

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Headers that belong to one connection.
_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})
#: Faults by which a service refuses a request: status and code of S3's, then of the JSON
#: services'.
_REFUSALS = {
    "throttled": (503, "SlowDown", 429, "TooManyRequestsException"),
    "failed": (500, "InternalError", 500, "ServerException"),
    "skewed": (403, "RequestTimeTooSkewed", 403, "InvalidSignatureException"),
    "expired": (400, "ExpiredToken", 403, "ExpiredTokenException"),
}
#: What is said besides the fault's name, where that tells what a code leaves open.
_SAID = {"skewed": "Signature expired: "}


@contextlib.contextmanager
def unreliable(upstream: str, faults: Faults) -> Iterator[str]:
    """Stand between clients and `upstream` for a while; yield the proxy's address."""
    server = _Proxy(upstream, faults)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Proxy(ThreadingHTTPServer):
    """Knows where requests go, and what becomes of them on the way."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str, faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = urlsplit(upstream).netloc
        self.faults = faults


class _Answer(NamedTuple):
    """What goes back to whoever asked.

    Attributes
    ----------
    size
        Of the whole, where the data of a HEAD's answer is not there.
    """

    status: int
    headers: list[tuple[str, str]]
    data: bytes
    size: int


class _Handler(BaseHTTPRequestHandler):
    """One client's connection, and the one to the service behind it."""

    server: _Proxy
    protocol_version = "HTTP/1.1"
    # One write for head and body: else each waits for the other's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection(self.server.host, timeout=60)

    def handle(self) -> None:
        # Whoever asked may have gone.
        with contextlib.suppress(OSError):
            super().handle()

    def finish(self) -> None:
        self.upstream.close()
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("X-Amz-Security-Token", "")
        asked = Asked(self.command, self.path, token)
        fault = self.server.faults.next(asked, _stamp(self.headers.get("X-Amz-Date", "")))
        if fault in _REFUSALS:
            self._answer(self._refusal(fault))
        elif fault == "reset before":
            self._reset()
        else:
            if fault == "slow":
                time.sleep(self.server.faults.slowness)
            self._forward(body, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve

    def _forward(self, body: bytes, fault: str) -> None:
        answer = self._ask(body)
        # If it does not answer, nobody knows whether it did its work.
        if answer is None or fault == "reset after":
            self._reset()
            return
        self._answer(answer, cut=fault == "cut" and len(answer.data) > 1)

    def _ask(self, body: bytes) -> _Answer | None:
        """Ask the service; return None where it closed a kept connection."""
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOPS}
        try:
            self.upstream.request(self.command, self.path, body, headers)
            reply = self.upstream.getresponse()
        except (http.client.HTTPException, OSError):
            self.upstream.close()
            return None
        data = reply.read()
        size = int(reply.headers.get("Content-Length") or len(data))
        kept = [(k, v) for k, v in reply.getheaders() if k.lower() not in {*_HOPS, "date"}]
        return _Answer(reply.status, kept, data, size)

    def _refusal(self, fault: str) -> _Answer:
        status, code, json_status, json_code = _REFUSALS[fault]
        said = f"{_SAID.get(fault, '')}{fault} on request"
        if "/v1/" in self.path:
            data = json.dumps({"message": said}).encode()
            headers = [("x-amzn-ErrorType", json_code), ("Content-Type", "application/json")]
            return _Answer(json_status, headers, data, len(data))
        text = f"<Error><Code>{code}</Code><Message>{said}</Message></Error>"
        data = b"" if self.command == "HEAD" else text.encode()
        return _Answer(status, [("Content-Type", "application/xml")], data, len(data))

    def _answer(self, answer: _Answer, *, cut: bool = False) -> None:
        """Send an answer, or half of it."""
        self.send_response_only(answer.status)
        now = time.time() + self.server.faults.ahead
        self.send_header("Date", email.utils.formatdate(now, usegmt=True))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(answer.size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.data[: len(answer.data) // 2] if cut else answer.data)
        self.wfile.flush()
        if cut:
            self._reset()

    def _reset(self) -> None:
        """End the connection as a broken network does: with RST, not FIN."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _stamp(text: str) -> float | None:
    """Read when a request was signed."""
    if not re.fullmatch(r"\d{8}T\d{6}Z", text):
        return None
    return float(calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ")))
