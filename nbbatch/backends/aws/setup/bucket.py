"""The bucket of jobs' objects: how much is in it, and how it goes away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from nbbatch.backends.aws.errors import code_of, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

_GONE = frozenset({"NoSuchBucket", "404", "NotFound"})
#: Looked at before it is said "more than"; one page of a listing.
_COUNTED = 1000


class Content(NamedTuple):
    """What a bucket holds, as far as one look tells."""

    objects: int
    size: int
    more: bool

    def __str__(self) -> str:
        some = "more than " if self.more else ""
        return f"{some}{self.objects} objects, {some}{_human(self.size)}"


class Bucket:
    """A bucket.

    Parameters
    ----------
    s3
        boto3's client.
    """

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self.name = name

    def exists(self) -> bool:
        """Tell whether there is such a bucket."""
        with translated(f"the bucket {self.name} can't be looked up"):
            try:
                self._s3.head_bucket(Bucket=self.name)
            except ClientError as error:
                if code_of(error) in _GONE:
                    return False
                raise
        return True

    def content(self) -> Content:
        """Count what is in it."""
        with translated(f"the bucket {self.name} can't be listed"):
            answer = self._s3.list_objects_v2(Bucket=self.name, MaxKeys=_COUNTED)
        found = answer.get("Contents", ())
        return Content(len(found), sum(o["Size"] for o in found), answer["IsTruncated"])

    def empty(self) -> Iterator[int]:
        """Delete all objects and all their versions; yield how many after each request."""
        with translated(f"the bucket {self.name} can't be emptied"):
            pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.name)
            for page in pages:
                found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                if found:
                    self._delete([{k: o[k] for k in ("Key", "VersionId")} for o in found])
                    yield len(found)

    def remove(self) -> None:
        """Delete the bucket, which is empty."""
        with translated(f"the bucket {self.name} was not deleted"):
            self._s3.delete_bucket(Bucket=self.name)

    def _delete(self, objects: list[dict[str, Any]]) -> None:
        answer = self._s3.delete_objects(
            Bucket=self.name, Delete={"Objects": objects, "Quiet": True}
        )
        for failed in answer.get("Errors", ()):
            error: Any = {"Error": dict(failed)}
            raise ClientError(error, "DeleteObjects")


def _human(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
