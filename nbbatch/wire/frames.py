"""Frames: the job's story, in order, as the far side tells it.

A frame is a dict of plain JSON values with ``kind`` and ``t`` (seconds since the epoch):

=============  ==========================================================================
``stream``     ``name`` (stdout or stderr), ``text``
``display``    ``data`` (MIME bundle), ``metadata``, ``display_id`` or None, ``update``
``result``     ``data``, ``metadata``: the last expression
``clear``      ``wait``: clear the outputs so far (before the next one, if true)
``error``      ``ename``, ``evalue``, ``traceback`` (lines): the code raised
``started``    ``given``: host, Python, limits, GPUs, as seen from inside
``place``      ``given``: instance, zone, ... as far as the machine tells, some time later;
               ``starting_at`` (seconds since the epoch), where it knows when it was to start
``usage``      ``cpu`` (cores), ``memory``, ``memory_limit``, ``disk``, ``disk_limit`` (bytes),
               ``gpus``
``progress``   ``id``, ``label``, ``done``, ``total`` (or None), ``unit``, ``rate`` (per second or
               None), ``started``, ``ended`` (or None), ``closed``; ``gone`` where it is not to be
               shown any more
``notice``     ``text``: something nbbatch itself has to say (a signal came, a value stays)
``image``      what the image has, as `nbbatch.worker.run.fingerprint` says
``libraries``  ``text``: which libraries are being fetched; empty when they have come
``returned``   of an executor's worker: ``number`` of the calls that it was given together, ``upto``
               which of them it has worked them off, and for each of the last ones in ``ends``
               whether it returned, and its seconds
``left``       of an executor's worker: ``number`` of calls, ``upto`` which of them it makes them:
               the others it gives back
``end``        ``status``: the outcome is written; nothing follows
=============  ==========================================================================

Frames travel in numbered objects, one JSON text a line, sealed like everything else.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, Iterable, List

Frame = Dict[str, Any]


def frame(kind: str, **fields: Any) -> Frame:
    """Make a frame that happened now."""
    return {"kind": kind, "t": time.time(), **fields}


def stream(name: str, text: str) -> Frame:
    """Make a frame of output: `name` is ``stdout`` or ``stderr``."""
    return frame("stream", name=name, text=text)


def latest(frames: List[Frame]) -> List[Frame]:
    """Leave out what a loop says that says more later."""
    last = {item["id"]: item for item in frames if item["kind"] == "progress"}
    return [item for item in frames if item["kind"] != "progress" or last[item["id"]] is item]


def merged(frames: Iterable[Frame]) -> List[Frame]:
    """Join neighbouring frames of one stream, so that 10,000 lines are one frame, not 10,000."""
    result: List[Frame] = []
    pieces: List[str] = []
    for item in frames:
        last = result[-1] if result else None
        if last and item["kind"] == last["kind"] == "stream" and item["name"] == last["name"]:
            pieces.append(item["text"])
            continue
        _close(result, pieces)
        result.append(item)
    _close(result, pieces)
    return result


def _close(result: List[Frame], pieces: List[str]) -> None:
    if pieces:
        result[-1] = {**result[-1], "text": result[-1]["text"] + "".join(pieces)}
        pieces.clear()


def encode(frames: Iterable[Frame]) -> bytes:
    """Write frames as JSON lines."""
    lines = [json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in frames]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def decode(data: bytes) -> List[Frame]:
    """Read what `encode` wrote."""
    text = bytes(data).decode("utf-8", "surrogatepass")
    return [json.loads(line) for line in text.split("\n") if line]
