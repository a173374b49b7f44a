"""What the children of an array have printed: of those that are asked for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from nbbatch.backends.base import ClientStore
from nbbatch.errors import BackendError, UsageError
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.futures.telling.labels import Label
from nbbatch.futures.telling.replay import outputs
from nbbatch.futures.telling.story import read_chapter
from nbbatch.wire.frames import Frame, stream

#: Children that are shown where none is named: each costs some calls.
SHOWN = 100
#: Seconds that the last words of an array that is done are waited for, and between two looks.
_PATIENCE = {"local": 10.0, "aws": 3.0}
_STEP = {"local": 0.02, "aws": 0.5}


class Over(NamedTuple):
    """An array that is done: all outcomes are there, and the last words may come after them.

    Attributes
    ----------
    container_log
        Gives the lines of a child's own container, where its worker has said nothing.
    ended
        Tells whether its backend says that nothing of it runs any more.
    """

    container_log: Callable[[int], Iterable[str]]
    ended: Callable[[], bool]


class Printed:
    """The outputs of the children; where several are shown, each line says whose it is.

    Parameters
    ----------
    over
        None while the array is not done, and may still say something.
    """

    def __init__(self, store: ClientStore, tracker: ArrayTracker, over: Over | None) -> None:
        self._store = store
        self._tracker = tracker
        self._over = over
        self._size = tracker.roster.size
        self._until = time.monotonic() + _PATIENCE[tracker.facts.backend]
        self._ended = over is None

    def logs(self, child: int | None = None) -> str:
        """Return all that a child has printed; for None the first `SHOWN` children's.

        Raises
        ------
        UsageError
            There is no such child.
        """
        if child is not None:
            return self._log(self._checked(child))
        if self._size == 1:
            return self._log(0)
        return "".join(map(self._marked, self._first())) + self._rest()

    def outputs(self) -> list[dict[str, Any]]:
        """Return the notebook outputs of the same children, one child's after the other's."""
        if self._size == 1:
            return outputs(self._story(0))
        marked = (Label(child, "child").mark(self._story(child)) for child in self._first())
        return outputs(item for story in marked for item in story)

    def _first(self) -> range:
        return range(min(self._size, SHOWN))

    def _rest(self) -> str:
        if self._size <= SHOWN:
            return ""
        return (
            f"[{self._size - SHOWN:,} more children: job.logs(child={SHOWN}) is the next one's]\n"
        )

    def _story(self, child: int) -> Iterator[Frame]:
        """Yield what a child has said; where all is done, to its end."""
        teller, attempt = self._tracker.teller(child), self._tracker.roster.attempt(child)
        number, last = 0, ""
        while True:
            found = read_chapter(self._store, teller, attempt, number)
            if found is not None:
                yield from found
                number, last = number + 1, found[-1]["kind"]
            elif last == "end" or not self._may_say_more():
                return

    def _may_say_more(self) -> bool:
        """Tell whether to look once more for what a child says, after a moment."""
        if self._over is None or self._ended:
            return False
        self._ended = True
        # A help, no need: what there is is shown.
        with contextlib.suppress(BackendError):
            self._ended = time.monotonic() > self._until or self._over.ended()
        if not self._ended:
            time.sleep(_STEP[self._tracker.facts.backend])
        return True

    def _log(self, child: int) -> str:
        text = "".join(item["text"] for item in self._story(child) if item["kind"] == "stream")
        if text or self._over is None:
            return text
        return "".join(f"{line}\n" for line in self._over.container_log(child))

    def _marked(self, child: int) -> str:
        label = Label(child, "child")
        frames = [*label.mark([stream("stdout", self._log(child))]), *label.rest()]
        return "".join(item["text"] for item in frames if item["kind"] == "stream")

    def _checked(self, child: int) -> int:
        if not 0 <= child < self._size:
            raise UsageError(
                f"job {self._tracker.facts.id} has no child {child}",
                f"it has {self._size}, counted from 0",
                f"job.logs(child={self._size - 1}) is the last one's",
            )
        return child
