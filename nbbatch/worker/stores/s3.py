"""The store on S3, as the job uses it: no boto3, no AWS CLI in the image."""

from __future__ import annotations

import base64
import calendar
import contextlib
import errno
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus, urlsplit

from nbbatch.wire import digest
from nbbatch.worker.stores.names import check_key
from nbbatch.worker.stores.pieces import as_views, cut, holds, total, young
from nbbatch.worker.stores.s3client import Client, Request, S3Error

if TYPE_CHECKING:
    import http.client
    from collections.abc import Iterable, Iterator, Sequence

    from nbbatch.wire.store import Buffer
    from nbbatch.worker.stores.credentials import Chain

#: Objects above this size travel in parts.
MULTIPART = 64 << 20
#: The most parts that an upload may have.
_PARTS = 10_000
#: The most keys in one call to list or delete.
PAGE = 1000
_MISSING, _PRECONDITION, _RANGE = 404, 412, 416
_ABSENT = {"If-None-Match": "*"}


class S3Store:
    """Objects in a bucket, below a prefix.

    Parameters
    ----------
    bucket, prefix
        Where the root is.
    region
        Where the bucket is thought to be; a wrong one is corrected by S3's first answer.
    endpoint
        ``http(s)://host[:port]`` of a service other than AWS's own.
    credentials
        Whom to sign as; found in the environment if not given.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        region: str = "",
        endpoint: str = "",
        credentials: Chain | None = None,
    ) -> None:
        prefix = prefix.strip("/")
        self.client = Client(bucket, region, endpoint, credentials)
        self.url = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        self._root = prefix + "/" if prefix else ""

    @classmethod
    def from_url(cls, url: str, region: str = "", endpoint: str = "") -> S3Store:
        """Open the store at ``s3://bucket/prefix``."""
        place = urlsplit(url, allow_fragments=False)
        return cls(place.netloc, place.path, region, endpoint)

    def close(self) -> None:
        """Close the connections that are kept for the next call."""
        self.client.close()

    def put(self, key: str, pieces: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `nbbatch.wire.store.Store.put`."""
        views = as_views(pieces)
        large = total(views) > MULTIPART
        if large and if_absent and self.size(key) is not None:
            return False
        send = self._put_parts if large else self._put_whole
        try:
            send(self._key(key), views, _ABSENT if if_absent else {})
        except S3Error as error:
            lost = error.status == _PRECONDITION and if_absent
            # An earlier try may have written it, and only its answer was lost.
            if error.ambiguous and (lost or error.code == "NoSuchUpload"):
                return holds(self, key, views) or _unless(lost, error)
            return _unless(lost, error)
        return True

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""
        try:
            return self.client.call(Request("GET", self._key(key))).body
        except S3Error as error:
            if error.code != "NoSuchKey":
                raise
            return None

    def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none."""
        headers = self._head(key)
        return None if headers is None else int(headers["content-length"])

    def reliable(self, key: str, size: int) -> bool:
        """Tell whether an object need not be sent; see `nbbatch.wire.store.Store.reliable`."""
        headers = self._head(key)
        if headers is None or int(headers["content-length"]) != size:
            return False
        # Both by the clock of S3.
        return young(*(_moment(headers[name]) for name in ("last-modified", "date")))

    def _head(self, key: str) -> http.client.HTTPMessage | None:
        try:
            return self.client.call(Request("HEAD", self._key(key))).headers
        except S3Error as error:
            if error.status != _MISSING:
                raise
            return None

    def read_into(self, key: str, offset: int, view: memoryview) -> None:
        """Fill `view` from `offset` on; see `nbbatch.wire.store.Store.read_into`."""
        if not view.nbytes:
            # S3 has no empty range.
            size = self.size(key)
            if size is None or size < offset:
                raise _too_short(key)
            return
        span = {"Range": f"bytes={offset}-{offset + view.nbytes - 1}"}
        request = Request("GET", self._key(key), headers=span, sink=view.cast("B"))
        try:
            reply = self.client.call(request)
        except S3Error as error:
            if error.status == _RANGE or error.code == "NoSuchKey":
                raise _too_short(key) from error
            raise
        if int(reply.headers.get("content-length") or 0) != view.nbytes:
            raise _too_short(key)

    def list(self, prefix: str = "") -> Iterator[tuple[str, int, float]]:
        """Yield key, size and time of last change of what starts with `prefix`, by key."""
        query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", str(PAGE))]
        query.append(("prefix", self._root + prefix))
        token = ""
        while True:
            more = [("continuation-token", token)] if token else []
            page = self.client.call(Request("GET", query=query + more)).body.decode()
            for entry in re.findall("<Contents>.*?</Contents>", page, re.DOTALL):
                key = unquote_plus(_element("Key", entry))[len(self._root) :]
                yield key, int(_element("Size", entry)), _time(_element("LastModified", entry))
            token = _element("NextContinuationToken", page)
            if not token:
                return

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; missing ones are no error."""
        names = [f"<Object><Key>{_escape(self._key(key))}</Key></Object>" for key in keys]
        for start in range(0, len(names), PAGE):
            chosen = "".join(names[start : start + PAGE])
            body = f"<Delete><Quiet>true</Quiet>{chosen}</Delete>".encode()
            check = hashlib.md5(body, usedforsecurity=False).digest()
            headers = {"Content-MD5": base64.b64encode(check).decode()}
            request = Request("POST", "", [("delete", "")], headers, [memoryview(body)])
            answer = self.client.call(request).body.decode()
            if "<Error>" in answer:
                code, message = _element("Code", answer), _element("Message", answer)
                raise S3Error(200, code, message, f"DELETE {self.url}/{_element('Key', answer)}")

    def _key(self, key: str) -> str:
        return self._root + check_key(key)

    def _put_whole(self, key: str, views: Sequence[memoryview], headers: dict[str, str]) -> None:
        self.client.call(Request("PUT", key, headers=headers, body=views))

    def _put_parts(self, key: str, views: Sequence[memoryview], headers: dict[str, str]) -> None:
        begun = self.client.call(Request("POST", key, [("uploads", "")])).body.decode()
        upload = ("uploadId", _element("UploadId", begun))
        try:
            body = self._send_parts(key, upload, views)
            # Only now is it decided who was first, so that the whole appears or nothing.
            self.client.call(Request("POST", key, [upload], headers, [memoryview(body)]))
        except BaseException:
            with contextlib.suppress(OSError):
                self.client.call(Request("DELETE", key, [upload]))
            raise

    def _send_parts(self, key: str, upload: tuple[str, str], views: Sequence[memoryview]) -> bytes:
        size = total(views)
        step = max(digest.CHUNK, -(-size // _PARTS))

        def send(piece: slice) -> bytes:
            number = str(piece.start // step + 1)
            body = list(cut(views, piece.start, piece.stop))
            query = [("partNumber", number), upload]
            tag = self.client.call(Request("PUT", key, query, body=body)).headers["etag"]
            part = f"<Part><PartNumber>{number}</PartNumber><ETag>{_escape(tag)}</ETag></Part>"
            return part.encode()

        cuts = [slice(start, min(start + step, size)) for start in range(0, size, step)]
        parts = b"".join(digest.in_threads(send, cuts))
        return b"<CompleteMultipartUpload>" + parts + b"</CompleteMultipartUpload>"


def _unless(lost: bool, error: S3Error) -> bool:
    if not lost:
        raise error
    return False


def _escape(text: str) -> str:
    # As xml.sax would, which takes longer to import than all of this to run.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _element(name: str, xml: str) -> str:
    found = re.search(f"<{name}>([^<]*)</{name}>", xml)
    return found.group(1).replace("&quot;", '"').replace("&amp;", "&") if found else ""


def _moment(text: str) -> float:
    from email.utils import mktime_tz, parsedate_tz

    found = parsedate_tz(text)
    return mktime_tz(found) if found is not None else 0.0


def _time(stamp: str) -> float:
    year, month, day, hour, minute, second = re.split("[-T:]", stamp.rstrip("Z"))
    whole = calendar.timegm((int(year), int(month), int(day), int(hour), int(minute), 0, 0, 0, 0))
    return whole + float(second)


def _too_short(key: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no such object, or it ends too early", key)
