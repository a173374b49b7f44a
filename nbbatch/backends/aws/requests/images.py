"""The image's whole name."""

from __future__ import annotations

import sys


def default_image(python: str | None = None) -> str:
    """Return the image of a Python; the kernel's own where none is named."""
    return f"python:{python or '{}.{}'.format(*sys.version_info)}"


def with_registry(image: str | None, registry: str | None, python: str | None = None) -> str:
    """Return an image with the registry before it where it names none.

    Parameters
    ----------
    image
        As the option has it; None is the `default_image`.
    python
        The minor version of the default image.
    registry
        As ``METAFLOW_BATCH_CONTAINER_REGISTRY`` has it.
    """
    image = image or default_image(python)
    if not registry or _names_registry(image):
        return image
    return f"{registry.rstrip('/')}/{image}"


def _names_registry(image: str) -> bool:
    # As Docker reads it: https://pkg.go.dev/github.com/distribution/reference
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")
