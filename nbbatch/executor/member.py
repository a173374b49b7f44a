"""One worker, as seen from here: what it was given, and what came of it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbbatch.capture.values import sources
from nbbatch.executor.call import Call
from nbbatch.executor.posting import Delivery, Ends, Post
from nbbatch.facts import JobFacts, State
from nbbatch.futures import Job
from nbbatch.wire.frames import Frame

#: Frames of a worker about its calls.
_SAID = ("returned", "left")

#: Tells what a notebook calls a code object's file.
Label = Callable[[str], "str | None"]
#: Has something done on the pool's own thread.
Tell = Callable[[Callable[[], None]], None]
#: Takes what a worker says of its calls.
Took = Callable[["Member", Sequence[Frame]], None]

#: Takes all frames of a worker.
Hear = Callable[[list[Frame]], None]


@dataclass
class _Bundle:
    """Calls that were given together, and how many of them have been worked off.

    Attributes
    ----------
    ahead
        Whether they were given before the worker was known to be free: they may be taken back.
    """

    calls: list[Call[Any] | None]
    ahead: bool
    done: int = 0

    def left(self) -> list[Call[Any]]:
        return [call for call in self.calls if call is not None]


class Member:
    """A worker and its calls.

    Parameters
    ----------
    tell, took
        The watcher's thread has `took` called on the pool's own.
    hear
        Takes all that it says, on the watcher's thread.

    Attributes
    ----------
    job, post
        Once it was started.
    given
        How many calls it has got so far.
    last
        Whether it gets no more: it is to end once it has worked off what it has.
    """

    job: Job[Any]
    post: Post

    def __init__(self, tell: Tell, took: Took, label: Label, hear: Hear | None = None) -> None:
        self._tell = tell
        self._took = took
        self._label = label
        self._hear = hear
        self._told: set[str] = set()
        self._bundles: dict[int, _Bundle] = {}
        self._number = 0
        #: Since when it is busy with the calls that are its next; None before it gave any back.
        self._since: float | None = None
        self._state: State | None = None
        self.given = 0
        self.last = False

    @property
    def waiting(self) -> int:
        """How many times it was given calls that it has not worked off."""
        return len(self._bundles)

    def brisk(self, seconds: float) -> bool:
        """Tell whether it is to be given calls before it has worked off others.

        Not where it has not begun to give any back, or is busy for longer than `seconds`: who
        knows for how long what it was given would wait, while other workers become free.
        """
        return self._since is not None and time.monotonic() - self._since < seconds

    @property
    def calls(self) -> int:
        """How many calls it was given that have not come back."""
        return sum(len(bundle.calls) - bundle.done for bundle in self._bundles.values())

    @property
    def running(self) -> bool:
        """Whether its job runs."""
        return self._state is State.RUNNING

    @property
    def ahead(self) -> bool:
        """Whether what it was given last was given ahead."""
        return bool(self._bundles) and self._bundles[max(self._bundles)].ahead

    def on_facts(self, facts: JobFacts) -> None:
        """Take the facts after a change: the end is told by the job itself."""
        before, self._state = self._state, facts.state
        if before is not self._state:
            self._tell(lambda: None)

    def on_frames(self, frames: list[Frame]) -> None:
        """Take the next frames, on the watcher's thread."""
        if self._hear is not None:
            self._hear(frames)
        mine = [frame for frame in frames if frame["kind"] in _SAID]
        if mine:
            self._tell(functools.partial(self._took, self, mine))

    def give(self, given: list[Call[Any]]) -> bool:
        """Give it calls; tell whether it will work them off: it may have gone just now."""
        graphs = [call.graph for call in given if call.graph is not None]
        new = {file for graph in graphs for file in graph.files} - self._told
        ahead = bool(self._bundles) or self._since is None
        if not self.post.give(self._number, graphs, sources(new, self._label), ahead=ahead):
            self.last = True
            return False
        self._told |= new
        for call in given:
            call.job = self.job
        if not self._bundles and self._since is not None:
            self._since = time.monotonic()
        self._bundles[self._number] = _Bundle(list(given), ahead)
        self.job.listen(eager=True)
        self._number += 1
        self.given += len(given)
        return True

    def take_back(self) -> list[Call[Any]]:
        """Return the calls that it was given last, where it has not begun them."""
        number = max(self._bundles)
        bundle = self._bundles[number]
        if not self.post.take_back(number):
            bundle.ahead = False
            return []
        return self._left(number, 0)

    def _left(self, number: int, upto: int) -> list[Call[Any]]:
        """Return the calls of those given together that are not its own any more."""
        bundle = self._bundles.get(number)
        if bundle is None:
            return []
        rest = [call for call in bundle.calls[upto:] if call is not None]
        del bundle.calls[upto:]
        self.given -= len(rest)
        self._look_over(number)
        return rest

    def close(self) -> None:
        """Tell it that nothing more comes."""
        self.last = True
        self.post.close(self._number)

    def left(self, said: Mapping[str, Any]) -> list[Call[Any]]:
        """Take a frame ``left``; return the calls that it gives back."""
        return self._left(said["number"], said["upto"])

    def take(self, said: Mapping[str, Any]) -> list[float]:
        """Take a frame ``returned``; return how long the calls took."""
        number, upto, ends = said["number"], said["upto"], said["ends"]
        bundle = self._bundles.get(number)
        if bundle is None or upto <= bundle.done:
            return []
        if number != min(self._bundles) or upto - len(ends) != bundle.done:
            # The attempt before has given something back and could not say it.
            return self.sweep()
        return self._come(number, upto, ends, Delivery(self.post, number, upto))

    def sweep(self) -> list[float]:
        """Look for what the worker gave back and did not tell of; return how long that took."""
        found = []
        for number, upto in self.post.returned():
            if number in self._bundles and upto > self._bundles[number].done:
                delivery = Delivery(self.post, number, upto)
                found += self._come(number, upto, delivery.ends(), delivery)
        return found

    def _come(self, number: int, upto: int, ends: Ends, delivery: Delivery) -> list[float]:
        bundle = self._bundles[number]
        first = upto - len(ends)
        bundle.done = upto
        self._look_over(number)
        for index, (well, _) in enumerate(ends):
            # Not held here any more: whoever wants the value holds the call.
            call, bundle.calls[first + index] = bundle.calls[first + index], None
            if call is not None:
                call.come(functools.partial(delivery.take, index), well=well)
        return [seconds for _, seconds in ends]

    def _look_over(self, number: int) -> None:
        """Be done with calls that were given together, where all that are its own have come."""
        bundle = self._bundles[number]
        if bundle.done >= len(bundle.calls):
            del self._bundles[number]
            self._since = time.monotonic() if bundle.done else self._since
            self.job.listen(eager=bool(self._bundles))

    def unsaid(self) -> list[Call[Any]]:
        """Look for what it gave back and could not tell of, once it has ended."""
        found = []
        for number in sorted(self._bundles):
            upto = self.post.share(number)
            if upto is not None:
                found += self._left(number, upto)
        return found

    def doubtful(self) -> tuple[list[Call[Any]], list[Call[Any]]]:
        """Return the calls that it had begun with, perhaps, and those that it had not."""
        left = [self._bundles[number].left() for number in sorted(self._bundles)]
        self._bundles.clear()
        return (left[0] if left else []), [call for calls_ in left[1:] for call in calls_]
