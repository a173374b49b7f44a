"""The job's story: frames to numbered, sealed objects, soon and in few writes."""

from __future__ import annotations

import time
from typing import Iterator, List, Set

from nbbatch.wire import keys, parts, spec
from nbbatch.wire.envelope import Stamp
from nbbatch.wire.frames import Frame, encode, latest, merged
from nbbatch.wire.store import Store
from nbbatch.worker.run.identity import Identity

#: Seconds between two writes: on a disk a write costs nothing, on S3 money and a round trip.
INTERVALS = {"file": 0.03, "s3": 0.25}
#: Seconds that progress waits for others' frames: on S3 it costs no write of its own.
PATIENCE = {"file": 0.0, "s3": 1.0}
#: Characters of output in one object, about; more is cut into several.
_PIECE = 512 << 10
#: Objects' worth of frames that are kept while the store takes none.
_KEPT = 32


class Story:
    """Collects frames and writes them."""

    def __init__(self, store: Store, identity: Identity) -> None:
        self._store = store
        self._identity = identity
        scheme = store.url.partition(":")[0]
        self._interval, self._patience = INTERVALS[scheme], PATIENCE[scheme]
        self._pending: List[Frame] = []
        self._size = 0
        self._known: Set[str] = set()
        self._written = 0
        self._last = 0.0

    def add(self, frame: Frame) -> None:
        """Take a frame; write at once what would become too large to wait."""
        self._pending.append(frame)
        self._size += len(frame.get("text", "")) if frame["kind"] == "stream" else _PIECE // 64
        if self._size >= _PIECE:
            self.flush()

    def wait(self) -> float:
        """Return the seconds until the next write is due; a long time where nothing waits."""
        if not self._pending:
            return 3600.0
        patient = all(frame["kind"] == "progress" for frame in self._pending)
        pause = max(self._interval, self._patience) if patient else self._interval
        return max(0.0, self._last + pause - time.monotonic())

    def flush(self) -> bool:
        """Write what waits; keep it where the store does not take it now.

        Returns
        -------
        bool
            Whether everything is written.
        """
        waiting, self._pending, self._size = list(_cut(merged(latest(self._pending)))), [], 0
        while waiting:
            try:
                self._write(waiting[0])
            # A full disk or a store out of reach must not end the job: what it computes may
            # still be wanted, and there may be room again later.
            except OSError:
                self._pending = [item for group in waiting[-_KEPT:] for item in group]
                self._last = time.monotonic()
                return False
            del waiting[0]
        return True

    def _write(self, frames: List[Frame]) -> None:
        me = self._identity
        meta = {"attempt": me.attempt, "number": self._written}
        pieces = parts.pack(
            self._store, Stamp(me.key, spec.FRAMES, me.owner), meta, [encode(frames)], self._known
        )
        self._store.put(keys.frames(me.job, me.attempt, self._written, me.part), pieces)
        self._written += 1
        self._last = time.monotonic()


def _cut(frames: List[Frame]) -> Iterator[List[Frame]]:
    """Cut frames so that no object holds much more output than `_PIECE`."""
    size, group = 0, []
    for item in frames:
        for piece in _shorter(item):
            size += len(piece.get("text", ""))
            group.append(piece)
            if size >= _PIECE:
                yield group
                size, group = 0, []
    if group:
        yield group


def _shorter(frame: Frame) -> Iterator[Frame]:
    text = frame.get("text", "")
    if frame["kind"] != "stream" or len(text) <= _PIECE:
        yield frame
        return
    for start in range(0, len(text), _PIECE):
        yield {**frame, "text": text[start : start + _PIECE]}
