"""What a job has said so far, read again from the store: for logs and outputs after the fact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.errors import UsageError
from nbbatch.futures.telling.labels import labels
from nbbatch.futures.telling.replay import outputs
from nbbatch.futures.telling.story import Teller, read_story
from nbbatch.wire.frames import Frame, stream


class Archive:
    """One attempt of a job, and of each of its nodes where there are several.

    Parameters
    ----------
    tellers
        The job, or its nodes in their order.
    container_log
        Gives the lines of a node's own container, where its worker has said nothing; None while
        it may still say something.
    """

    def __init__(
        self,
        store: ClientStore,
        tellers: list[Teller],
        attempt: int,
        container_log: Callable[[int], Iterable[str]] | None = None,
    ) -> None:
        self._container_log = container_log
        self._store = store
        self._tellers = tellers
        self._labels = labels(len(tellers))
        self._attempt = attempt

    def logs(self, node: int | None = None) -> str:
        """Return all that a node has printed; for None all nodes, and each line says whose it is.

        Raises
        ------
        UsageError
            There is no such node.
        """
        if node is not None:
            return self._log(self._checked(node))
        return "".join(self._marked(index) for index in range(len(self._tellers)))

    def _log(self, node: int) -> str:
        text = _text(self._story(node))
        if text or self._container_log is None:
            return text
        return "".join(f"{line}\n" for line in self._container_log(node))

    def _marked(self, node: int) -> str:
        if not self._labels:
            return self._log(node)
        label = self._labels[node]
        return _text([*label.mark([stream("stdout", self._log(node))]), *label.rest()])

    def _checked(self, node: int) -> int:
        count = len(self._tellers)
        if not 0 <= node < count:
            raise UsageError(
                f"job {self._tellers[0].job} has no node {node}",
                f"it has {count}, counted from 0",
                f"job.logs(node={count - 1}) is the last one's",
            )
        return node

    def outputs(self) -> list[dict[str, Any]]:
        """Return the notebook outputs, one node's after the other's."""
        return outputs(item for node in range(len(self._tellers)) for item in self._shown(node))

    def _story(self, node: int) -> Iterator[Frame]:
        return read_story(self._store, self._tellers[node], self._attempt)

    def _shown(self, node: int) -> Iterable[Frame]:
        story = self._story(node)
        return self._labels[node].mark(story) if self._labels else story


def _text(frames: Iterable[Frame]) -> str:
    return "".join(item["text"] for item in frames if item["kind"] == "stream")
