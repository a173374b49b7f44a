"""What several calls have in common: hashed and sent once, as long as it can't change.

Who submits a call promises not to change its large buffers before it is done. So what was made of
an object's bytes holds for all calls with that object, until none of them is left.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from nbbatch.wire.calls import whose
from nbbatch.wire.envelope import Part
from nbbatch.wire.graph import OUT_OF_BAND, Graph
from nbbatch.wire.store import Buffer

__all__ = ["Shared"]

#: Seconds for which a blob is relied on without asking for it: nobody tidies up as soon as that.
_RELIABLE = 3600.0
#: From this size on it is worth remembering that something was sent.
_WORTH = 64 << 10
#: So many parts that were sent inline are remembered.
_MOST = 4096


@dataclass
class _Held:
    """Bytes that calls have, and the blob that was made of them."""

    calls: int = 0
    part: Part | None = None
    made: float = 0.0


class Shared:
    """Knows the buffers of calls that are not done; see `nbbatch.wire.parts.Shared`."""

    def __init__(self) -> None:
        # Reentrant: calls are let go wherever the collector finds one.
        self._lock = threading.RLock()
        self._held: dict[tuple[int, int], _Held] = {}
        self._inline: dict[str, None] = {}

    def hold(self, graph: Graph) -> None:
        """Take it that a call is submitted."""
        with self._lock:
            for buffer in graph.buffers:
                whole = whose(buffer)
                if whole is not None:
                    self._held.setdefault(whole, _Held()).calls += 1

    def release(self, graph: Graph) -> None:
        """Take it that a call is done, or will never be made."""
        with self._lock:
            for buffer in graph.buffers:
                whole = whose(buffer)
                held = self._held.get(whole) if whole is not None else None
                if whole is not None and held is not None:
                    held.calls -= 1
                    if not held.calls:
                        del self._held[whole]

    def part(self, data: Buffer) -> Part | None:
        """Return the blob that was made of the same object for a call that is not done yet."""
        held = self._of(data)
        if held is None or time.monotonic() - held.made > _RELIABLE:
            return None
        return held.part

    def made(self, data: Buffer, part: Part) -> None:
        """Remember the blob, for the calls that have the same object."""
        held = self._of(data)
        if held is not None:
            held.part, held.made = part, time.monotonic()

    def again(self, part: Part) -> bool:
        """Tell whether the same bytes were sent with a call before."""
        if part.size < _WORTH:
            return False
        with self._lock:
            before = part.digest in self._inline
            self._inline[part.digest] = None
            if len(self._inline) > _MOST:
                del self._inline[next(iter(self._inline))]
        return before

    def _of(self, data: Buffer) -> _Held | None:
        whole = whose(data) if memoryview(data).nbytes >= OUT_OF_BAND else None
        return self._held.get(whole) if whole is not None else None
