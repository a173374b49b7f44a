"""Where the bytes lie, seen from the job: a directory or S3, standard library only.

==============  =================================================================
`directory`     the store on a directory
`vouching`      the same, sparing digests; shared with the local backend
`s3`            the store on S3: multipart, conditional writes, listing
`s3client`      one signed request to a bucket: retries, region, clock
`sigv4`         the signature
`credentials`   who we are: environment, web identity, container, instance
`net`           one HTTP connection: proxies, certificates
`pieces`        several buffers seen as one
`names`         which keys are accepted
==============  =================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from nbbatch.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbatch.wire.store import ListingStore


def open_store(environ: Mapping[str, str]) -> ListingStore:
    """Open the store that the environment names; only that store's modules are loaded.

    Raises
    ------
    ValueError
        ``NBBATCH_STORE`` is missing, or neither ``file://`` nor ``s3://``.
    """
    url = environ.get(keys.ENV_STORE, "")
    scheme = urlsplit(url).scheme
    if scheme == "file":
        from nbbatch.worker.stores.vouching import VouchingDirectory

        return VouchingDirectory(unquote(urlsplit(url).path))
    if scheme == "s3":
        from nbbatch.worker.stores.s3 import S3Store

        region, endpoint = (environ.get(n, "") for n in (keys.ENV_S3_REGION, keys.ENV_S3_ENDPOINT))
        return S3Store.from_url(url, region, endpoint)
    raise ValueError(f"{keys.ENV_STORE} is neither file:// nor s3://: {url!r}")
