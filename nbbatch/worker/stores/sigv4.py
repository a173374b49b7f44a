"""AWS Signature Version 4, as S3 wants it: in headers, paths encoded once.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbbatch.worker.stores.credentials import Credentials

UNSIGNED = "UNSIGNED-PAYLOAD"


class Target(NamedTuple):
    """What is asked of whom: the part of a request that the signature covers besides headers."""

    method: str
    host: str
    #: Encoded, see `encode_path`.
    path: str
    #: Encoded, see `encode_query`.
    query: str
    region: str


def encode_path(path: str) -> str:
    """Encode a path once, as S3 alone of all services wants it."""
    return quote(path, safe="/~")


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode a query in the canonical order, so that what is sent is what is signed."""
    return "&".join(sorted(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in pairs))


def sign(
    target: Target, headers: Mapping[str, str], payload: str, who: Credentials, now: float
) -> dict[str, str]:
    """Return `headers`, in lower case, with the host, the date and the signature.

    Parameters
    ----------
    payload
        The body's SHA-256, hexadecimal, or `UNSIGNED`.
    now
        Seconds since the epoch, by the service's clock.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    signed.update({"host": target.host, "x-amz-date": stamp, "x-amz-content-sha256": payload})
    if who.token:
        signed["x-amz-security-token"] = who.token
    names = ";".join(sorted(signed))
    scope = f"{stamp[:8]}/{target.region}/s3/aws4_request"
    digest = hashlib.sha256(_canonical(target, signed, names, payload).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.new(_key(who.secret_key, scope), text.encode(), hashlib.sha256).hexdigest()
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={who.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return signed


def _canonical(target: Target, signed: Mapping[str, str], names: str, payload: str) -> str:
    lines = [target.method, target.path, target.query]
    lines += [f"{name}:{signed[name]}" for name in sorted(signed)]
    return "\n".join([*lines, "", names, payload])


def _key(secret: str, scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
