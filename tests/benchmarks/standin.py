"""A stand-in for S3 that moves bytes as fast as TLS on loopback does: for benchmarks alone.

Objects in memory, whatever is signed accepted, nothing checked: just what boto3 and the worker's
own client ask for. ``python tests/benchmarks/standin.py CERTIFICATE MB/S`` serves until it is
ended, and prints its address first; 0 MB/s is as fast as it can.
"""

from __future__ import annotations

import contextlib
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 20
_DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
#: An object is what was sent, part by part.
_objects: dict[str, list[memoryview]] = {}
_uploads: dict[str, dict[int, memoryview]] = {}
_lock = threading.Lock()


class _Line:
    """A network whose bytes all pass through one place, at one speed."""

    def __init__(self, speed: float) -> None:
        self._speed = speed * 1e6
        self._free = 0.0
        self._lock = threading.Lock()

    def carry(self, size: int) -> None:
        """Return when so many bytes have passed."""
        if not self._speed:
            return
        with self._lock:
            self._free = max(self._free, time.monotonic()) + size / self._speed
            wait = self._free - time.monotonic()
        if wait > 0:
            time.sleep(wait)


_line = _Line(0.0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The head and the first bytes in one segment.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_expect_100(self) -> bool:
        """Let a client go on that has asked before it sends."""
        self.send_response_only(100)
        self.end_headers()
        self.wfile.flush()
        return True

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path)

    @property
    def _query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))

    def _body(self) -> memoryview:
        body = memoryview(bytearray(int(self.headers.get("content-length") or 0)))
        done = 0
        while done < body.nbytes:
            count = self.rfile.readinto(body[done : done + _PIECE])
            if not count:
                raise ConnectionError("cut short")
            _line.carry(count)
            done += count
        return body

    def _answer(self, status: int, text: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())
        self.wfile.flush()

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>")

    def do_PUT(self) -> None:
        """Take an object, or a part of one."""
        query, body = self._query, self._body()
        if "uploadId" in query:
            _uploads[query["uploadId"]][int(query["partNumber"])] = body
            return self._answer(200, ETag=f'"{query["partNumber"]}"')
        return self._publish([body])

    def do_POST(self) -> None:
        """Begin or complete an upload in parts, or delete objects."""
        query, body = self._query, bytes(self._body()).decode()
        if "uploads" in query:
            name = uuid.uuid4().hex
            _uploads[name] = {}
            return self._answer(200, f"<R><UploadId>{name}</UploadId></R>")
        if "delete" in query:
            for key in re.findall("<Key>(.*?)</Key>", body):
                _objects.pop(f"{self._key.rstrip('/')}/{key}", None)
            return self._answer(200, "<DeleteResult></DeleteResult>")
        parts = _uploads.pop(query["uploadId"])
        return self._publish([parts[number] for number in sorted(parts)])

    def _publish(self, parts: list[memoryview]) -> None:
        with _lock:
            if self.headers.get("if-none-match") and self._key in _objects:
                return self._refuse(412, "PreconditionFailed")
            _objects[self._key] = parts
        return self._answer(200, "<R><ETag>tag</ETag></R>", ETag='"tag"')

    def do_DELETE(self) -> None:
        """Drop an unfinished upload."""
        _uploads.pop(self._query.get("uploadId", ""), None)
        self._answer(204)

    def do_HEAD(self) -> None:
        """Tell of an object."""
        self.do_GET()

    def do_GET(self) -> None:
        """Give an object, or a range of it, or list those there are."""
        if "list-type" in self._query:
            return self._list()
        parts = _objects.get(self._key)
        if parts is None:
            return self._refuse(404, "NoSuchKey")
        size = sum(part.nbytes for part in parts)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range") or "")
        start, end = (int(asked[1]), min(int(asked[2]) + 1, size)) if asked else (0, size)
        if asked and start >= size:
            return self._refuse(416, "InvalidRange")
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Last-Modified", _DATE)
        self.send_header("ETag", '"tag"')
        self.end_headers()
        if self.command != "HEAD":
            self._give(parts, start, end)
        return self.wfile.flush()

    def _give(self, parts: list[memoryview], start: int, end: int) -> None:
        at = 0
        for part in parts:
            piece = part[max(start - at, 0) : max(end - at, 0)]
            for begin in range(0, piece.nbytes, _PIECE):
                block = piece[begin : begin + _PIECE]
                _line.carry(block.nbytes)
                self.wfile.write(block)
            at += part.nbytes

    def _list(self) -> None:
        bucket = self._key.rstrip("/") + "/"
        prefix = bucket + self._query.get("prefix", "")
        found = "".join(
            f"<Contents><Key>{key[len(bucket) :]}</Key><Size>{sum(p.nbytes for p in parts)}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key, parts in sorted(_objects.items())
            if key.startswith(prefix)
        )
        self._answer(200, f"<ListBucketResult>{found}</ListBucketResult>")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )


@contextlib.contextmanager
def standin(folder: Path, speed: float = 0.0) -> Iterator[tuple[str, str]]:
    """Run the stand-in in a process of its own; yield its address and the certificate's file."""
    certificate = folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-keyout", str(certificate), "-out", str(folder / "public.pem"), "-subj", "/CN=s3"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(made, check=True, capture_output=True)
    with certificate.open("a") as file:
        file.write((folder / "public.pem").read_text())
    server = subprocess.Popen(
        [sys.executable, __file__, str(certificate), str(speed)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip(), str(folder / "public.pem")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


if __name__ == "__main__":
    _line = _Line(float(sys.argv[2]))
    with _Server(sys.argv[1]) as serving:
        print(f"https://127.0.0.1:{serving.server_address[1]}", flush=True)
        serving.serve_forever()
