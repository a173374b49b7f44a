"""A small file of what this machine has learnt: whoever loses it pays time, never correctness."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["Notes"]


class Notes:
    """One JSON object in a file that all processes of the user share.

    Parameters
    ----------
    path
        The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Any]:
        """Return what is noted; nothing where the file is missing or damaged."""
        try:
            whole = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return whole if isinstance(whole, dict) else {}

    def write(self, whole: dict[str, Any]) -> None:
        """Replace the file as a whole, where it can be written."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, pending = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.stem}-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(whole, file)
                Path(pending).replace(self._path)
            except BaseException:
                Path(pending).unlink()
                raise
