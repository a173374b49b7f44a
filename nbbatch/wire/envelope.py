"""A sealed object: who it belongs to, what it says, and which bytes come with it.

Layout, integers big-endian::

    nbbatch <version: 1 byte>   8 bytes
    header length               4 bytes
    header                      JSON: kind, job, meta, parts
    HMAC-SHA256                 32 bytes, over all of the above, with the job's key
    inline parts                in order, back to back

The header holds the size and digest of every part, or the store's voucher for it, so the one
HMAC seals the parts too, whether they lie behind it or as blobs elsewhere. `unseal` checks it
before anything is parsed; a part is checked when it is read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from nbbatch.errors import SealError, WireError
from nbbatch.wire import VERSION
from nbbatch.wire.digest import digest
from nbbatch.wire.store import Buffer

_MAGIC = b"nbbatch"
_MAC = 32
_PREFIX = len(_MAGIC) + 1 + 4


def job_key(secret: bytes, job: str) -> bytes:
    """Derive a job's sealing key from the user's secret: 32 bytes."""
    return hmac.new(secret, b"nbbatch job " + job.encode(), hashlib.sha256).digest()


def cache_key(secret: bytes) -> bytes:
    """Derive the key that the results of earlier jobs are named and sealed with: 32 bytes."""
    return hmac.new(secret, b"nbbatch cache", hashlib.sha256).digest()


class Stamp(NamedTuple):
    """Whose object it is: sealed with which key, of which kind, of which job."""

    key: bytes
    kind: str
    job: str


@dataclass(frozen=True)
class Part:
    """One run of bytes that belongs to an envelope: inline, or a blob.

    A blob is named by its digest; or, where the store vouches for it, it has a voucher in place
    of a digest, and `digest` is but its name.
    """

    size: int
    digest: str
    blob: bool = False
    voucher: str = ""

    def listed(self) -> List[Any]:
        """Return the part as JSON values."""
        plain = [self.size, self.digest, self.blob]
        return [*plain, self.voucher] if self.voucher else plain


@dataclass(frozen=True)
class Envelope:
    """An object whose seal was checked."""

    kind: str
    job: str
    meta: Dict[str, Any]
    parts: Tuple[Part, ...]
    data: memoryview

    def inline(self, index: int) -> memoryview:
        """Return an inline part's bytes.

        Raises
        ------
        SealError
            They are not the bytes that were sealed.
        """
        part = self.parts[index]
        start = sum(p.size for p in self.parts[:index] if not p.blob)
        view = self.data[start : start + part.size]
        if view.nbytes != part.size or digest(view) != part.digest:
            raise broken(f"part {index} of the {self.kind} of job {self.job}")
        return view


def broken(what: str) -> SealError:
    """Build the refusal of bytes that are not what was sealed."""
    return SealError(
        f"{what} is refused",
        "its content does not match its seal: it was altered, or written with another key",
        "run the job again; if this repeats, find out who else can write there",
    )


def seal(
    key: bytes,
    kind: str,
    job: str,
    meta: Dict[str, Any],
    parts: Sequence[Part] = (),
    inline: Sequence[Buffer] = (),
) -> List[Buffer]:
    """Build a sealed object as pieces to be written one after the other."""
    listed = [part.listed() for part in parts]
    header = json.dumps({"kind": kind, "job": job, "meta": meta, "parts": listed}).encode()
    head = _MAGIC + bytes([VERSION]) + len(header).to_bytes(4, "big") + header
    return [head + _mac(key, head), *inline]


def unseal(data: Buffer, key: bytes, kind: str, job: str) -> Envelope:
    """Check a sealed object and open it.

    Raises
    ------
    SealError
        It was altered, sealed with another key, or is another object than the one expected.
    WireError
        It was written by an nbbatch that speaks another version.
    """
    view = memoryview(data)
    what = f"the {kind} of job {job}"
    end = _header_end(view, what)
    if not hmac.compare_digest(_mac(key, view[:end]), bytes(view[end : end + _MAC])):
        raise broken(what)
    header = json.loads(bytes(view[_PREFIX:end]))
    if (header["kind"], header["job"]) != (kind, job):
        raise broken(what)
    parts = tuple(Part(*item) for item in header["parts"])
    return Envelope(kind, job, header["meta"], parts, view[end + _MAC :])


def _header_end(view: memoryview, what: str) -> int:
    if view.nbytes < _PREFIX or bytes(view[: len(_MAGIC)]) != _MAGIC:
        raise broken(what)
    version = view[len(_MAGIC)]
    if version != VERSION:
        raise WireError(
            f"{what} can't be read",
            f"it is in version {version} of the format, this nbbatch reads version {VERSION}",
            "use the version of nbbatch that started the job",
        )
    return _PREFIX + int.from_bytes(view[_PREFIX - 4 : _PREFIX], "big")


def _mac(key: bytes, data: Buffer) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()
