"""Settings to a backend: only the chosen one is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from nbbatch.backends.base import Backend
from nbbatch.config import Settings

__all__ = ["open_backend"]


def open_backend(settings: Settings) -> Backend:
    """Return the backend that the settings choose; no call is made yet."""
    # Only the chosen backend is loaded: boto3 costs half a second and many megabytes.
    if settings.backend == "local":
        from nbbatch.backends.local import local_backend

        return local_backend(settings.home, secrets=partial(_read_secrets, settings))
    from nbbatch.backends.aws import aws_backend

    return aws_backend(
        s3_root=settings.s3_root,
        region=settings.region,
        profile=settings.profile,
        endpoint_url=settings.endpoint_url,
        registry=settings.registry,
        cache_dir=settings.home / "cache",
    )


def _read_secrets(settings: Settings, sources: Sequence[str]) -> Sequence[str]:
    from nbbatch.backends.aws.secrets import read_values

    return read_values(sources, settings.region, settings.profile)
