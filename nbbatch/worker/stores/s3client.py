"""One signed request to one bucket: connections kept, transient failures tried again.

What a service may answer is corrected on the way: another region, a clock that is off,
credentials that have just expired.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import http.client
import os
import random
import re
import ssl
import time
from typing import (
    TYPE_CHECKING,
    NamedTuple,
)
from urllib.parse import urlsplit

from nbbatch.worker.stores.credentials import Chain, NoCredentialsError
from nbbatch.worker.stores.net import Link, connect
from nbbatch.worker.stores.sigv4 import UNSIGNED, Target, encode_path, encode_query, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: The socket's timeout counts for one piece, so a slow line must be given small ones.
SEND = 1 << 20
#: Seconds without any progress after which a connection is given up.
TIMEOUT = 60.0
#: Seconds; S3 refuses a request whose clock is off by fifteen minutes.
_SKEW = 600.0
_PAUSE_FIRST, _PAUSE_MOST = 0.1, 10.0
#: From here on a status is no success.
_REFUSALS = 300
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_TRANSIENT_CODES = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
    }
)
#: Answers after which the request can't have been carried out.
_REFUSED = frozenset({409, 429})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})


class S3Error(OSError):
    """The bucket refused, failed or could not be reached.

    Parameters
    ----------
    status
        The HTTP status; 0 where there was no answer.
    code
        S3's own name of the error, e.g. ``NoSuchKey``.
    message
        S3's sentence about it.
    what
        Method, bucket and key of the request.
    """

    def __init__(self, status: int, code: str, message: str, what: str) -> None:
        super().__init__(f"{what}: {code or status} {message}".rstrip())
        self.status = status
        self.code = code
        self.message = message
        self.what = what
        #: Whether an earlier try of the same request may have been carried out.
        self.ambiguous = False

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later."""
        return _transient(self)


class Request(NamedTuple):
    """What is asked of the bucket."""

    method: str
    #: The whole key, the store's prefix included; empty for the bucket itself.
    key: str = ""
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = {}
    body: Sequence[memoryview] = ()
    #: Filled with the answer's body, which must be exactly as long.
    sink: memoryview | None = None


class Reply(NamedTuple):
    """An answer, read to its end; the body is empty where there was a sink."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Client:
    """Requests to one bucket, from any number of threads.

    Parameters
    ----------
    bucket
        The bucket's name.
    region
        Where it is thought to be; corrected by the first answer.
    endpoint
        ``http(s)://host[:port]`` of a service other than AWS's own.
    chain
        The credentials.
    sleep
        Waits between two tries.
    """

    #: Tries of one request; the pauses between them are about 15 seconds in all.
    attempts = 9

    def __init__(
        self,
        bucket: str,
        region: str = "",
        endpoint: str = "",
        chain: Chain | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.bucket = bucket
        self.region = region or "us-east-1"
        self._endpoint = endpoint.rstrip("/")
        self._chain = chain or Chain()
        self._sleep = sleep
        self._skew = 0.0
        self._idle: dict[int, list[tuple[str, Link]]] = {}

    def call(self, request: Request) -> Reply:
        """Send `request` and return the answer, which is a success.

        Raises
        ------
        S3Error
            The answer is an error, or there is none after several tries.
        NoCredentialsError
            There is nothing to sign with.
        """
        adapted: set[str] = set()
        ambiguous, left = False, self.attempts
        while True:
            found = self._try(request)
            if isinstance(found, Reply):
                return found
            found.ambiguous = ambiguous
            if self._adapt(found, adapted):
                continue
            left -= 1
            if not left or not _transient(found):
                raise found
            ambiguous = ambiguous or found.status not in _REFUSED
            self._sleep(_pause(found, self.attempts - left - 1))

    def close(self) -> None:
        """Close the connections that are kept; the next call opens new ones."""
        for idle in self._idle.values():
            while idle:
                idle.pop()[1].connection.close()

    def __del__(self) -> None:
        self.close()

    def _try(self, request: Request) -> Reply | S3Error:
        what = f"{request.method} s3://{self.bucket}/{request.key}"
        try:
            reply = self._exchange(request)
        except NoCredentialsError:
            raise
        except ssl.SSLCertVerificationError as error:
            hint = "; the image may lack CA certificates (AWS_CA_BUNDLE names a file of them)"
            raise S3Error(0, "BadCertificate", f"{error}{hint}", what) from error
        except (OSError, http.client.HTTPException) as error:
            return S3Error(0, "Unreachable", f"{type(error).__name__}: {error}", what)
        # The answer to a completed upload may be an error under the status of a success.
        if reply.status < _REFUSALS and not (request.method == "POST" and _ERROR.match(reply.body)):
            return reply
        return _RefusedError(reply, what)

    def _exchange(self, request: Request) -> Reply:
        origin, host, base = self._address()
        path = encode_path(f"{base}/{request.key}")
        query = encode_query(request.query)
        target = Target(request.method, host, path, query, self.region)
        payload = UNSIGNED if origin.startswith("https") else _sha256(request.body)
        now = time.time() + self._skew
        headers = sign(target, request.headers, payload, self._chain.get(), now)
        if request.method in ("PUT", "POST"):
            headers["content-length"] = str(sum(view.nbytes for view in request.body))
        link = self._take(origin)
        try:
            url = link.prefix + path + (f"?{query}" if query else "")
            kept = _send(link, request, url, headers)
            response = link.connection.getresponse()
            reply = _read(response, request.sink)
        except BaseException:
            link.connection.close()
            raise
        if kept and response.isclosed():
            self._idle.setdefault(os.getpid(), []).append((origin, link))
        else:
            link.connection.close()
        return reply

    def _take(self, origin: str) -> Link:
        # By process, as a fork must not talk on its parent's connections.
        idle = self._idle.setdefault(os.getpid(), [])
        with contextlib.suppress(IndexError):
            while True:
                place, link = idle.pop()
                if place == origin:
                    return link
                link.connection.close()
        return connect(origin, TIMEOUT)

    def _address(self) -> tuple[str, str, str]:
        """Origin, host and the path's beginning; a name with dots fits no TLS certificate."""
        if self._endpoint:
            return self._endpoint, urlsplit(self._endpoint).netloc, "/" + self.bucket
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        host = f"s3.{self.region}.{suffix}"
        if "." in self.bucket:
            return f"https://{host}", host, "/" + self.bucket
        host = f"{self.bucket}.{host}"
        return f"https://{host}", host, ""

    def _adapt(self, error: S3Error, adapted: set[str]) -> bool:
        """Correct what the refusal tells about; each thing once for a request."""
        if not isinstance(error, _RefusedError):
            return False
        region, skew = error.region(), error.skew()
        if region and region != self.region and "region" not in adapted:
            adapted.add("region")
            self.region = region
        elif skew is not None and abs(skew - self._skew) > _SKEW and "clock" not in adapted:
            adapted.add("clock")
            self._skew = skew
        elif error.code in _EXPIRED and "credentials" not in adapted:
            adapted.add("credentials")
            self._chain.forget()
        else:
            return False
        return True


class _RefusedError(S3Error):
    """An error that the service sent, and what else its answer tells."""

    def __init__(self, reply: Reply, what: str) -> None:
        self._text = reply.body.decode("utf-8", "replace")
        super().__init__(reply.status, self._element("Code"), self._element("Message"), what)
        self._headers = reply.headers

    def region(self) -> str:
        if self.status not in (301, 307, 400):
            return ""
        place = re.search(r"s3[.-]([a-z0-9-]+)\.amazonaws", self._headers.get("location") or "")
        named = self._headers.get("x-amz-bucket-region") or self._element("Region")
        return named or (place.group(1) if place else "")

    def skew(self) -> float | None:
        """Seconds that the service's clock is ahead of ours, where that may be the reason."""
        date = email.utils.parsedate_tz(self._headers.get("date") or "")
        if self.status != http.client.FORBIDDEN or date is None:
            return None
        return email.utils.mktime_tz(date) - time.time()

    def _element(self, name: str) -> str:
        found = re.search(f"<{name}>([^<]*)</{name}>", self._text)
        return found.group(1) if found else ""


_ERROR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error>")


def _transient(error: S3Error) -> bool:
    return error.status in (0, *_TRANSIENT) or error.code in _TRANSIENT_CODES


def _pause(error: S3Error, attempt: int) -> float:
    if error.status == 0 and attempt == 0:
        # Most often a kept connection that the service has closed meanwhile.
        return 0.0
    return random.uniform(0.5, 1.0) * min(_PAUSE_MOST, _PAUSE_FIRST * 2.0**attempt)


def _small_views(views: Sequence[memoryview]) -> Iterator[memoryview]:
    for view in views:
        for start in range(0, view.nbytes, SEND):
            yield view[start : start + SEND]


def _sha256(views: Sequence[memoryview]) -> str:
    found = hashlib.sha256()
    for view in views:
        found.update(view)
    return found.hexdigest()


def _send(link: Link, request: Request, url: str, headers: Mapping[str, str]) -> bool:
    """Send; tell whether the connection can serve another request afterwards."""
    body = _small_views(request.body) if request.body else None
    try:
        link.connection.request(request.method, url, body, {**headers, **link.headers})
    except (BrokenPipeError, ConnectionResetError):
        # A service that refuses a large body answers, and hangs up before it has it all.
        return False
    return True


def _read(response: http.client.HTTPResponse, sink: memoryview | None) -> Reply:
    if sink is None or response.status >= _REFUSALS:
        return Reply(response.status, response.headers, response.read())
    if response.length == sink.nbytes:
        done = 0
        while done < sink.nbytes:
            count = response.readinto(sink[done:])
            if not count:
                raise http.client.IncompleteRead(b"", sink.nbytes - done)
            done += count
    # A body of another length stays unread, and the headers tell the caller.
    return Reply(response.status, response.headers, b"")
