"""Settings to a backend: only the chosen one is loaded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from functools import partial

from nbbatch import config
from nbbatch.backends.base import Backend
from nbbatch.config import Settings
from nbbatch.options.kinds import Refused

__all__ = ["open_backend", "secret_of"]


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


def secret_of(settings: Settings) -> bytes:
    """Return the user's secret: from the environment, as it is or where it is, else a file.

    Raises
    ------
    ConfigurationError
        What the environment says is no such secret.
    BackendError
        It can't be read where the environment says that it is.
    """
    given = config.given_secret(os.environ)
    # A name in one of AWS's vaults has one of these; what is mistyped has not.
    if not config.is_secret(given) and (":" in given or "/" in given):
        with contextlib.suppress(Refused):
            (given,) = _read_secrets(settings, [given])
    return config.taken_secret(given) if given else config.secret(settings.home)


def _read_secrets(settings: Settings, sources: Sequence[str]) -> Sequence[str]:
    from nbbatch.backends.aws.secrets import read_values

    return read_values(sources, settings.region, settings.profile)
