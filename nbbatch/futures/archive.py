"""What a job has said so far, read again from the store: for logs and outputs after the fact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.errors import UsageError
from nbbatch.futures.labels import labels
from nbbatch.futures.replay import outputs
from nbbatch.futures.story import Teller, read_story
from nbbatch.wire.frames import Frame, stream


class Archive:
    """One attempt of a job, and of each of its nodes where there are several.

    Parameters
    ----------
    tellers
        The job, or its nodes in their order.
    """

    def __init__(self, store: ClientStore, tellers: list[Teller], attempt: int) -> None:
        self._store = store
        self._tellers = tellers
        self._labels = labels(len(tellers))
        self._attempt = attempt

    def text(self, node: int) -> str:
        """Return all that a node has printed."""
        return _text(self._story(node))

    def marked(self, node: int, text: str) -> str:
        """Return a text of a node's, each line with the node before it."""
        if not self._labels:
            return text
        label = self._labels[node]
        return _text([*label.mark([stream("stdout", text)]), *label.rest()])

    def outputs(self) -> list[dict[str, Any]]:
        """Return the notebook outputs, one node's after the other's."""
        return outputs(item for node in range(len(self._tellers)) for item in self._shown(node))

    def _story(self, node: int) -> Iterator[Frame]:
        return read_story(self._store, self._tellers[node], self._attempt)

    def _shown(self, node: int) -> Iterable[Frame]:
        story = self._story(node)
        return self._labels[node].mark(story) if self._labels else story


def checked_node(job: str, node: int, nodes: int) -> int:
    """Return the index of a node that there is.

    Raises
    ------
    UsageError
        The job has no such node.
    """
    if not 0 <= node < nodes:
        raise UsageError(
            f"job {job} has no node {node}",
            f"it has {nodes}, counted from 0",
            f"job.logs(node={nodes - 1}) is the last one's",
        )
    return node


def _text(frames: Iterable[Frame]) -> str:
    return "".join(item["text"] for item in frames if item["kind"] == "stream")
