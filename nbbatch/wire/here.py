"""What the worker lends to `nbbatch.current` in the job's own process; nothing elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

if TYPE_CHECKING:
    from nbbatch.wire.checkpoints import Checkpoints

checkpoints: "Optional[Callable[[], Checkpoints]]" = None
