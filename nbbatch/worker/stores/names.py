"""Which keys a store accepts: the same ones in every store."""

from __future__ import annotations

#: The longest key that S3 takes, in UTF-8 bytes.
LIMIT = 1024


def check_key(key: str) -> str:
    """Return `key` unchanged if it names one object below the root.

    Raises
    ------
    ValueError
        It is empty, absolute or too long, or has an empty, ``.`` or ``..`` segment.
    """
    if "\0" in key or "\\" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise ValueError(f"not a key inside the store: {key!r}")
    if len(key.encode()) > LIMIT:
        raise ValueError(f"key longer than {LIMIT} bytes: {key[:40]!r}...")
    return key
