"""The pipe on which the child tells the monitor its frames: one line of JSON each.

The child may be interrupted at any moment, by a signal whose handler raises or prints: a message
that was cut off in the middle spoils no other one.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from typing import Any, Deque, Dict, Iterator, List

#: The kind of the last message: the outcome is written, and this is what it says.
DONE = "done"


class Writer:
    """Writes messages, from any thread, whole and in order."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # Reentrant, and with a queue: a signal handler may print in the middle of a message.
        self._lock = threading.RLock()
        self._waiting: Deque[bytes] = deque()
        self._busy = False
        self._torn = False

    def __call__(self, message: Dict[str, Any]) -> None:
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._waiting.append(data)
            if self._busy:
                return
            self._busy = True
            try:
                while self._waiting:
                    self._write(self._waiting.popleft())
            finally:
                self._busy = False

    def _write(self, data: bytes) -> None:
        view = memoryview(b"\n" + data if self._torn else data)
        self._torn = True
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._torn = False


class Reader:
    """Puts messages together again."""

    def __init__(self) -> None:
        self._pieces: List[bytes] = []

    def feed(self, data: bytes) -> Iterator[Dict[str, Any]]:
        """Take bytes as they come and yield the messages that are complete."""
        *ended, rest = data.split(b"\n")
        for end in ended:
            line = b"".join([*self._pieces, end])
            self._pieces = []
            message = _parsed(line)
            if message is not None:
                yield message
        if rest:
            self._pieces.append(rest)


def _parsed(line: bytes) -> Any:
    """Read a message; None for what is left of one that was cut off."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if b"\\ud" not in line:
        return message
    # Half of a surrogate pair is no text that a notebook could keep.
    plain = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    return json.loads(plain)
