"""What the operating system refuses, as errors of the backend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from nbbatch.errors import as_disk_error


@contextlib.contextmanager
def as_backend_errors() -> Iterator[None]:
    """Raise a `BackendError` in the place of an `OSError`, but that of a missing file."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise as_disk_error(error, "the local backend can't read or write its files") from error
