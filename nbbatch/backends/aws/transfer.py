"""The bytes of one object on their way to or from S3: nothing is copied whole."""

from __future__ import annotations

import contextlib
import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from nbbatch.worker.stores.pieces import cut, total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Up to here an object is joined into one bytes: S3 is then not asked for leave to send it first.
SMALL = 256 << 10
#: From here an object travels in parts.
LARGE = 64 << 20
PART = 16 << 20
#: S3 takes no more parts than this.
PARTS = 10_000
THREADS = 8
_BLOCK = 1 << 20


class Body(io.RawIOBase):
    """Views read as one file; what `read` returns is a view again, not a copy."""

    def __init__(self, views: Sequence[memoryview]) -> None:
        self._views = list(views)
        self._size = total(views)
        self._at = 0

    def __len__(self) -> int:
        return self._size

    def readable(self) -> bool:
        """Tell that there is something to read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be sent again from its start."""
        return True

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def read(self, size: int = -1) -> Any:
        """Return the next view, or empty bytes at the end.

        Asked for less it still returns a block of 1 MiB: the HTTP client asks for 16 KiB at a
        time and sends whatever it gets.
        """
        wanted = self._size if size is None or size < 0 else max(size, _BLOCK)
        view = next(cut(self._views, self._at, min(self._at + wanted, self._size)), b"")
        self._at += len(view)
        return view


def body(views: Sequence[memoryview]) -> bytes | Body:
    """Return what botocore takes as a body."""
    return b"".join(views) if total(views) <= SMALL else Body(views)


def upload(client: Any, where: dict[str, str], views: Sequence[memoryview], **final: Any) -> None:
    """Send a large object in parts, several at a time; S3 keeps none of it on failure.

    Parameters
    ----------
    where
        ``Bucket`` and ``Key``.
    final
        For the call that makes the object visible.
    """
    upload_id = client.create_multipart_upload(**where)["UploadId"]
    try:
        done = {"Parts": _parts(client, {**where, "UploadId": upload_id}, views)}
        client.complete_multipart_upload(**where, UploadId=upload_id, MultipartUpload=done, **final)
    except BaseException:
        # What went wrong first is what to tell; S3's lifecycle rules remove what is left.
        with contextlib.suppress(ClientError, BotoCoreError):
            client.abort_multipart_upload(**where, UploadId=upload_id)
        raise


def _parts(client: Any, where: dict[str, str], views: Sequence[memoryview]) -> list[dict[str, Any]]:
    size = total(views)
    step = max(PART, -(-size // PARTS))

    def send(number: int) -> dict[str, Any]:
        part = list(cut(views, (number - 1) * step, number * step))
        answer = client.upload_part(**where, PartNumber=number, Body=Body(part))
        return {"PartNumber": number, "ETag": answer["ETag"]}

    with ThreadPoolExecutor(THREADS, "nbbatch-upload") as pool:
        futures = [pool.submit(send, number) for number in range(1, -(-size // step) + 1)]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def fill(stream: Any, view: memoryview, advance: Callable[[int], None]) -> None:
    """Read `stream` to the end of `view`, telling `advance` how far each step came."""
    done = 0
    while done < view.nbytes:
        # In blocks: urllib3 makes a bytes object as large as the view that it is given.
        count = stream.readinto(view[done : done + _BLOCK])
        if not count:
            return
        done += count
        advance(count)
