"""What must never be unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)
