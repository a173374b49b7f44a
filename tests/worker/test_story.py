"""When the job's story is written: at once where that is free, with other frames where not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nbbatch.wire import frames
from nbbatch.worker.run import story as told
from nbbatch.worker.run.identity import Identity
from nbbatch.worker.run.story import Story

KEY = b"k" * 32


class Objects:
    """A store that keeps what is written."""

    def __init__(self, scheme):
        self.url = f"{scheme}://somewhere"
        self.written = []

    def put(self, name, pieces, if_absent=False):
        self.written.append(name)
        return True


def progress(id_, done):
    return frames.frame("progress", id=id_, done=done)


@pytest.mark.parametrize(("scheme", "patient"), [("file", False), ("s3", True)])
def test_progress_alone_waits_for_the_next_sample(scheme, patient, monkeypatch):
    """On S3 a write costs money: a bar that moves is no reason for one of its own."""
    monkeypatch.setattr(told, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    story = Story(Objects(scheme), Identity("job", 1, "", KEY))
    story.add(frames.stream("stdout", "x"))
    story.flush()
    story.add(progress("1", 1))
    assert (story.wait() > 0.5) is patient
    story.add(frames.stream("stdout", "x"))
    assert story.wait() <= 0.25


def test_only_the_last_state_of_a_bar_is_kept():
    """What a loop said before it said more is not written; all else keeps its order."""
    text = [frames.stream("stdout", name) for name in "ab"]
    said = [progress("1", 1), text[0], progress("2", 1), progress("1", 2), text[1]]

    assert frames.latest(said) == [text[0], *said[2:]]
