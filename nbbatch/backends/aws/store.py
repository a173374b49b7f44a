"""The store on S3, from the client's side."""

from __future__ import annotations

import errno
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from urllib3.exceptions import HTTPError

from nbbatch.backends.aws import transfer
from nbbatch.backends.aws.errors import code_of, retried, status_of, translate, translated
from nbbatch.backends.aws.pauses import backoff
from nbbatch.errors import ConfigurationError
from nbbatch.wire import keys
from nbbatch.worker.stores.names import check_key
from nbbatch.worker.stores.pieces import as_views, holds, total, young

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nbbatch.backends.aws.clients import Clients
    from nbbatch.wire.store import Buffer

#: DeleteObjects takes no more keys than this.
_DELETE = 1000
_TRIES = 4
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
#: What the body of an answer ends in that does not come whole.
_BROKEN_OFF = (HTTPError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class S3ClientStore:
    """Objects in a bucket, under a prefix; thread-safe.

    Parameters
    ----------
    root
        ``s3://bucket/prefix``.
    sleep
        Waits between tries.

    Raises
    ------
    ConfigurationError
        `root` is not of that form.
    """

    def __init__(
        self, root: str, clients: Clients, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        parts = urlsplit(root)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ConfigurationError(
                f"the S3 root {root!r} can't be used",
                "it is not of the form s3://bucket/prefix",
                "NBBATCH_S3_ROOT=s3://my-bucket/nbbatch",
            )
        self.bucket = parts.netloc
        self.prefix = parts.path.strip("/")
        self.url = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        self._clients = clients
        self._sleep = sleep

    def put(self, key: str, pieces: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `nbbatch.wire.store.Store.put`."""
        where, views = self._where(key), as_views(pieces)
        large = total(views) >= transfer.LARGE
        # A conditional write is refused only once all of it has been sent.
        if large and if_absent and self.size(key) is not None:
            return False
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        for attempt in range(_TRIES):
            try:
                if large:
                    transfer.upload(self._s3, where, views, **condition)
                else:
                    self._s3.put_object(**where, Body=transfer.body(views), **condition)
                return True
            except (ClientError, BotoCoreError) as error:
                lost = if_absent and status_of(error) == HTTPStatus.PRECONDITION_FAILED
                if lost or code_of(error) == "NoSuchUpload":
                    # An earlier try may have written it, and only its answer was lost.
                    if retried(error) and holds(self, key, views):
                        return True
                    if lost:
                        return False
                last = attempt == _TRIES - 1
                if last or not if_absent or status_of(error) != HTTPStatus.CONFLICT:
                    raise self._error(error, "write", key) from error
            self._sleep(backoff(attempt))
        raise AssertionError("unreachable")

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""
        for attempt in range(_TRIES):
            try:
                # botocore tries again until the answer begins, and not where it breaks off.
                return bytes(self._s3.get_object(**self._where(key))["Body"].read())
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise self._error(error, "read", key) from error
            except _BROKEN_OFF as error:
                if attempt == _TRIES - 1:
                    raise self._error(error, "read", key) from error
            except BotoCoreError as error:
                raise self._error(error, "read", key) from error
            self._sleep(backoff(attempt))
        raise AssertionError("unreachable")

    def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none."""
        found = self._head(key)
        return None if found is None else int(found["ContentLength"])

    def reliable(self, key: str, size: int) -> bool:
        """Tell whether an object need not be sent; see `nbbatch.wire.store.Store.reliable`."""
        found = self._head(key)
        if found is None or found["ContentLength"] != size:
            return False
        # Both by the clock of S3.
        now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        return young(found["LastModified"].timestamp(), now.timestamp())

    def _head(self, key: str) -> Any:
        with self._calling("read", key):
            try:
                return self._s3.head_object(**self._where(key))
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise

    def read_into(self, key: str, offset: int, view: memoryview) -> None:
        """Fill `view` from `offset` on; see `nbbatch.wire.store.Store.read_into`."""
        if not view.nbytes:
            size = self.size(key)
            if size is None or size < offset:
                raise _too_short(key)
            return
        view, done = view.cast("B"), 0
        tries = _TRIES
        while done < view.nbytes:
            before = done
            try:
                done += self._read_some(key, offset + done, view[done:])
            except (BotoCoreError, HTTPError, OSError) as error:
                if isinstance(error, FileNotFoundError):
                    raise
                tries -= 1
                if not tries:
                    raise self._error(error, "read", key) from error
                self._sleep(backoff(_TRIES - tries - 1))
            # What came stays; only an answer that breaks off at once counts against the tries.
            tries = _TRIES if done > before else tries

    def list(self, prefix: str = "") -> Iterator[tuple[str, int, float]]:
        """Yield key, size and time of last change of what starts with `prefix`, by key."""
        if prefix.startswith("/") or ".." in prefix.rpartition("/")[0].split("/"):
            raise ValueError(f"not a prefix inside the store: {prefix!r}")
        start = len(self._full(""))
        with self._calling("list", prefix):
            pages = self._s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._full(prefix)):
                for item in page.get("Contents", ()):
                    yield item["Key"][start:], item["Size"], item["LastModified"].timestamp()

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that don't exist are passed over."""
        names = [{"Key": self._full(check_key(key))} for key in keys]
        for start in range(0, len(names), _DELETE):
            batch: Any = {"Objects": names[start : start + _DELETE], "Quiet": True}
            with self._calling("delete from", ""):
                answer = self._s3.delete_objects(Bucket=self.bucket, Delete=batch)
                for failed in answer.get("Errors", ()):
                    raise ClientError({"Error": dict(failed)}, "DeleteObjects")  # type: ignore[typeddict-item]

    def environment(self) -> Mapping[str, str]:
        """Return what the job must know to open this store."""
        found = {keys.ENV_STORE: self.url, keys.ENV_S3_REGION: self._clients.region}
        endpoint = self._clients.custom_s3_endpoint
        return {**found, keys.ENV_S3_ENDPOINT: endpoint} if endpoint else found

    @property
    def _s3(self) -> Any:
        return self._clients.s3

    def _full(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._full(check_key(key))}

    def _what(self, verb: str, key: str) -> str:
        return f"can't {verb} {self.url}/{key}".rstrip("/")

    def _calling(self, verb: str, key: str) -> Any:
        return translated(self._what(verb, key))

    def _error(self, error: BaseException, verb: str, key: str) -> Exception:
        return translate(error, self._what(verb, key))

    def _read_some(self, key: str, offset: int, view: memoryview) -> int:
        last = offset + view.nbytes - 1
        try:
            answer = self._s3.get_object(**self._where(key), Range=f"bytes={offset}-{last}")
        except ClientError as error:
            if code_of(error) in _ABSENT | {"InvalidRange", "416"}:
                raise _too_short(key) from error
            raise self._error(error, "read", key) from error
        return _fill(answer, view, key)


def _fill(answer: Any, view: memoryview, key: str) -> int:
    """Return how much came before the answer ended or broke off."""
    if answer["ContentLength"] < view.nbytes:
        answer["Body"].close()
        raise _too_short(key)
    came: list[int] = []
    try:
        transfer.fill(answer["Body"], view, came.append)
    except (BotoCoreError, HTTPError, OSError):
        if not came:
            raise
    finally:
        answer["Body"].close()
    return sum(came)


def _too_short(key: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no such object, or it ends too early", key)
