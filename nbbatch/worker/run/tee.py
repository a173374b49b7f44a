"""What the job says, also to the container's own log, for those who look there."""

from __future__ import annotations

import codecs
import os
from typing import Callable, Dict

from nbbatch.wire import frames
from nbbatch.wire.frames import Frame

_DESCRIPTORS: Dict[str, int] = {"stdout": 1, "stderr": 2}


class Tee:
    """Raw output of one of the child's descriptors: to the log as it is, and told as text.

    Parameters
    ----------
    name
        ``stdout`` or ``stderr``.
    tell
        Takes each frame.
    """

    def __init__(self, name: str, tell: Callable[[Frame], None]) -> None:
        self._name = name
        self._tell = tell
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __call__(self, data: bytes) -> None:
        _write(_DESCRIPTORS[self._name], data)
        self._pass_on(self._decoder.decode(data))

    def end(self) -> None:
        """Tell what is left: the beginning of a character whose end never came."""
        self._pass_on(self._decoder.decode(b"", final=True))

    def _pass_on(self, text: str) -> None:
        if text:
            self._tell(frames.stream(self._name, text))


def copy_to_log(message: Frame) -> None:
    """Write a frame's text to the container's own log, if it has any."""
    if message["kind"] == "stream":
        _write(_DESCRIPTORS[message["name"]], message["text"].encode("utf-8", "replace"))
    elif message["kind"] == "error":
        _write(_DESCRIPTORS["stderr"], "".join(message["traceback"]).encode("utf-8", "replace"))


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    # The log is a copy: a full disk or a closed pipe there must not end the job.
    except OSError:
        pass
