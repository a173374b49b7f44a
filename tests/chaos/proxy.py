"""An unreliable network: a proxy in front of a service of AWS that injects faults, seeded.

It knows S3 (answers in XML) and the JSON services apart by the request alone, and nothing of
nbbatch.
"""

from __future__ import annotations

import calendar
import contextlib
import email.utils
import http.client
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: How often each fault comes where a test says nothing else: about every ninth request.
USUAL: Mapping[str, float] = {
    "throttled": 0.03,
    "failed": 0.02,
    "reset before": 0.02,
    "reset after": 0.02,
    "cut": 0.01,
    "slow": 0.01,
    "skewed": 0.003,
}
#: S3's limit for how far a client's clock may be off.
_SKEW = 900
#: Headers that belong to one connection.
_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})


class Asked(NamedTuple):
    """A request, as a rule of the test's own sees it."""

    method: str
    path: str
    token: str


@dataclass
class Faults:
    """What goes wrong, and how often.

    Attributes
    ----------
    rates
        Chances of the faults that come at random, by their names.
    ahead
        Seconds by which the service's clock is ahead of this machine's.
    expired
        Session tokens that are not taken any more.
    rule
        Names the fault of a request, or None for what chance says; called before it is sent on.
    slowness
        Seconds that a slow answer takes.
    """

    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    ahead: float = 0.0
    expired: set[str] = field(default_factory=set)
    rule: Callable[[Asked], str | None] = lambda asked: None
    slowness: float = 0.5

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()
        #: How often each fault was injected; ``""`` counts requests that went through.
        self.seen: Counter[str] = Counter()

    def next(self, asked: Asked, sent_at: float | None) -> str:
        """Name the fault of a request; ``""`` for none."""
        fault = self._fault(asked, sent_at)
        with self._lock:
            self.seen[fault] += 1
        return fault

    def _fault(self, asked: Asked, sent_at: float | None) -> str:
        if asked.token in self.expired:
            return "expired"
        if sent_at is not None and abs(time.time() + self.ahead - sent_at) > _SKEW:
            return "skewed"
        ruled = self.rule(asked)
        if ruled is not None:
            return ruled
        with self._lock:
            drawn = self._random.random()
        for fault, rate in self.rates.items():
            if drawn < rate:
                return fault
            drawn -= rate
        return ""


@contextlib.contextmanager
def unreliable(upstream: str, faults: Faults) -> Iterator[str]:
    """Stand between clients and `upstream` for a while; yield the proxy's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(upstream, faults))
    server.daemon_threads = True
    server.request_queue_size = 128
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


#: Status, S3's code, the JSON services' code.
_REFUSALS = {
    "throttled": (503, "SlowDown", 429, "TooManyRequestsException"),
    "failed": (500, "InternalError", 500, "ServerException"),
    "skewed": (403, "RequestTimeTooSkewed", 403, "RequestTimeTooSkewed"),
    "expired": (400, "ExpiredToken", 403, "ExpiredTokenException"),
}


def _handler(upstream: str, faults: Faults) -> type[BaseHTTPRequestHandler]:
    host = urlsplit(upstream).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One write for head and body: else each waits for the other's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.upstream = http.client.HTTPConnection(host, timeout=60)

        def finish(self) -> None:
            self.upstream.close()
            # Whoever asked may have gone.
            with contextlib.suppress(OSError):
                super().finish()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("X-Amz-Security-Token", "")
            asked = Asked(self.command, self.path, token)
            fault = faults.next(asked, _stamp(self.headers.get("X-Amz-Date", "")))
            if fault in _REFUSALS:
                self._refuse(fault)
            elif fault == "reset before":
                self._reset()
            else:
                if fault == "slow":
                    time.sleep(faults.slowness)
                self._forward(body, fault)

        def _forward(self, body: bytes, fault: str) -> None:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOPS}
            try:
                self.upstream.request(self.command, self.path, body, headers)
                reply = self.upstream.getresponse()
            except (http.client.HTTPException, OSError):
                # The upstream closed a kept connection; whether it did its work nobody knows.
                self.upstream.close()
                self._reset()
                return
            data = reply.read()
            if fault == "reset after":
                self._reset()
                return
            size = int(reply.headers.get("Content-Length") or len(data))
            kept = [(k, v) for k, v in reply.getheaders() if k.lower() not in {*_HOPS, "date"}]
            self._answer(reply.status, kept, data, size, cut=fault == "cut" and len(data) > 1)

        def _answer(
            self, status: int, headers: Any, data: bytes, size: int, *, cut: bool = False
        ) -> None:
            self.send_response_only(status)
            now = time.time() + faults.ahead
            self.send_header("Date", email.utils.formatdate(now, usegmt=True))
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[: len(data) // 2] if cut else data)
            self.wfile.flush()
            if cut:
                self._reset()

        def _refuse(self, fault: str) -> None:
            status, code, json_status, json_code = _REFUSALS[fault]
            if "/v1/" in self.path:
                data = json.dumps({"message": f"{fault} on request"}).encode()
                headers = [("x-amzn-ErrorType", json_code), ("Content-Type", "application/json")]
                self._answer(json_status, headers, data, len(data))
                return
            text = f"<Error><Code>{code}</Code><Message>{fault} on request</Message></Error>"
            data = b"" if self.command == "HEAD" else text.encode()
            self._answer(status, [("Content-Type", "application/xml")], data, len(data))

        def _reset(self) -> None:
            """End the connection as a broken network does: with RST, not FIN."""
            self.close_connection = True
            linger = struct.pack("ii", 1, 0)
            with contextlib.suppress(OSError):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve

        def handle(self) -> None:
            # Whoever asked may have gone.
            with contextlib.suppress(OSError):
                super().handle()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def _stamp(text: str) -> float | None:
    """Read when a request was signed."""
    if not re.fullmatch(r"\d{8}T\d{6}Z", text):
        return None
    return float(calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ")))
