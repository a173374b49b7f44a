"""Which worker gets which calls, and what becomes of them: one thread, which owns all workers.

::

    submit ──→ waiting ──→ a member's calls ──→ frame `returned` ──→ the call is done
                  ↑               │
                  ├── not begun ──┼── it is busy for long, another worker is free
                  └── not begun ──┴── its worker has ended ──→ begun: the call fails

Others only append to `waiting`, or put something into the thread's inbox.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbbatch.errors import BrokenExecutorError, ImageError, NbbatchError
from nbbatch.executor.broken import Broken, never_made, stopped, unready, vanished
from nbbatch.executor.call import Call
from nbbatch.executor.choosing import robbed, taker
from nbbatch.executor.exiting import EXIT, exiting, finish, forget
from nbbatch.executor.member import Member
from nbbatch.executor.pace import Pace
from nbbatch.executor.ports import Changed, Starter, unseen
from nbbatch.executor.waiting import patiently
from nbbatch.facts import State

#: Seconds to wait for workers that were told to end.
_GRACE = 10.0

_log = logging.getLogger(__name__)


class Pool:
    """Calls that wait, and the workers.

    Parameters
    ----------
    most
        How many workers there are at most at a time.
    each
        How many calls a worker gets at most; None where nothing limits that.
    changed
        Takes the workers after each change, on the pool's thread; nothing of it may wait.
    """

    def __init__(
        self, starter: Starter, most: int, each: int | None, changed: Changed = unseen
    ) -> None:
        self._starter = starter
        self._most = most
        self._each = each
        self._changed = changed
        self.pace = Pace(starter.backend)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        # Reentrant: the collector may close the pool of an executor that nobody holds, anywhere.
        self._lock = threading.RLock()
        self._waiting: deque[Call[Any]] = deque()
        #: Calls that were taken off those that wait, and that no worker has yet.
        self._in_hand: list[Call[Any]] = []
        self._members: list[Member] = []
        self._thread: threading.Thread | None = None
        self._closed = ""
        self._terminated = False
        self._broken: Broken | None = None

    @property
    def broken(self) -> BrokenExecutorError | None:
        """Why no call can be made any more, if that is so."""
        return self._broken() if self._broken is not None else None

    @property
    def members(self) -> list[Member]:
        """The workers that there are now."""
        return list(self._members)

    def add(self, call: Call[Any]) -> None:
        """Take a call.

        Raises
        ------
        BrokenExecutorError
            No worker can be started.
        RuntimeError
            The pool was closed.
        """
        with self._lock:
            self.check()
            if self._has_room():
                # As good as begun: a worker is free, or is about to be started for it.
                call.set_running_or_notify_cancel()
            self._waiting.append(call)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="nbbatch-executor", daemon=True
                )
                self._thread.start()
                finish(self)
        self.tell(_nothing)

    def _has_room(self) -> bool:
        busy = sum(bool(member.waiting) for member in self.members)
        begun = sum(call.running() for call in itertools.islice(self._waiting, self._most))
        return busy + begun + bool(self._in_hand) < self._most

    def check(self) -> None:
        """Refuse a call that can't be made any more; see `add`."""
        if self._broken is not None:
            raise self._broken()
        if self._closed or exiting():
            after = self._closed or EXIT
            raise RuntimeError(f"cannot schedule new futures after {after}")

    def close(self, after: str = "shutdown", *, cancel: bool = False) -> None:
        """Take no more calls; end the workers once all are done that were taken."""
        with self._lock:
            self._closed = self._closed or after
            dropped = {call for call in self._waiting if call.cancel()} if cancel else set()
            if dropped:
                self._waiting = deque(call for call in self._waiting if call not in dropped)
        for call in dropped:
            call.set_running_or_notify_cancel()
        self.tell(_nothing)

    def stop(self) -> None:
        """Take no more calls, drop those that wait, and stop the workers, whatever they do."""
        self.close(cancel=True)
        self.tell(self._stop)

    def join(self) -> None:
        """Wait until the last call is done and the workers have ended."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            patiently(functools.partial(_joined, thread))

    def tell(self, news: Callable[[], None]) -> None:
        """Have something done on the pool's own thread."""
        self._inbox.put(news)

    def _run(self) -> None:
        try:
            while not self._over():
                self._inbox.get()()
                while not self._inbox.empty():
                    self._inbox.get()()
                self._assign()
                self._changed(self._members)
            self._leave()
            self._changed([])
        # A fault of ours, or an interpreter that is ending: nobody must wait for ever.
        except BaseException as error:
            _log.exception("an executor has come to an end")
            self._break(functools.partial(stopped, error))

    def _over(self) -> bool:
        with self._lock:
            if not self._closed or self._waiting:
                return False
        return not any(member.waiting for member in self._members)

    # ------------------------------------------------------------------------------- giving

    def _assign(self) -> None:
        """Give calls to workers as long as there are calls, and workers that take them."""
        while self._broken is None:
            try:
                if not self._waiting and not self._regain():
                    return
                self._renew()
                member = taker(self._able(), self._most, self.pace, self._each)
                if member is None and not self._may_start():
                    return
                self._pick(member.given if member is not None else 0)
                if self._in_hand and not (member or self._start()).give(self._in_hand):
                    self._put_back(self._in_hand)
            except NbbatchError as error:
                self._break(functools.partial(stopped, error))
            self._in_hand = []

    def _regain(self) -> bool:
        """Take back calls that a worker has not begun, for one that could; tell whether any."""
        while member := robbed(self._able(), self._most):
            found = member.take_back()
            self._put_back(found)
            if found:
                return True
        return False

    def _may_start(self) -> bool:
        return len(self._able()) < self._most

    def _able(self) -> list[Member]:
        return [member for member in self._members if not member.last]

    def _renew(self) -> None:
        """Where a call needs what the workers lack, have others do it, and these end."""
        with self._lock:
            graphs = [call.graph for call in self._waiting if call.graph is not None]
        if not graphs or self._starter.covers(graphs[0]):
            return
        self._starter.extend(graphs)
        for member in self._members:
            self._dismiss(member)

    def _dismiss(self, member: Member) -> None:
        if not member.last:
            # It ends by itself where it is not told.
            with contextlib.suppress(NbbatchError):
                member.close()

    def _start(self) -> Member:
        member = self._starter.start(self.tell, self._took)
        self._members.append(member)
        member.job.add_done_callback(lambda _: self.tell(functools.partial(self._ended, member)))
        return member

    def _pick(self, before: int) -> None:
        """Take the next calls off those that wait; from now on they can't be cancelled.

        Parameters
        ----------
        before
            How many calls their worker was given before.
        """
        size = self.pace.size(len(self._waiting), max(1, len(self._members)))
        if self._each is not None:
            size = min(size, self._each - before)
        while len(self._in_hand) < size:
            with self._lock:
                if not self._waiting:
                    break
                graph = self._waiting[0].graph
                if graph is not None and not self._starter.covers(graph):
                    break
                call = self._waiting.popleft()
                if call.running() or call.set_running_or_notify_cancel():
                    self._in_hand.append(call)

    def _put_back(self, given: Sequence[Call[Any]]) -> None:
        """Have calls wait again that no worker has begun."""
        if self._terminated:
            for call in given:
                call.fail(never_made())
            return
        with self._lock:
            self._waiting.extendleft(reversed(given))

    # ------------------------------------------------------------------------------- taking

    def _took(self, member: Member, frames: Sequence[Mapping[str, Any]]) -> None:
        for frame in frames:
            # What can't be looked at now is found out when the worker has ended.
            with contextlib.suppress(NbbatchError):
                if frame["kind"] == "left":
                    self._put_back(member.left(frame))
                else:
                    self._learn(member.take(frame))
        if self._each is not None and member.given >= self._each and not member.waiting:
            self._dismiss(member)

    def _learn(self, seconds: Sequence[float]) -> None:
        for each in seconds:
            self.pace.learn(each)

    def _ended(self, member: Member) -> None:
        """Take it that a worker has ended, for whatever reason."""
        self._members.remove(member)
        if member.waiting:
            # What it could not say any more; a store that fails now leaves its calls in doubt.
            with contextlib.suppress(NbbatchError):
                self._learn(member.sweep())
                self._put_back(member.unsaid())
        begun, later = member.doubtful()
        if self._terminated:
            begun, later = begun + later, []
        self._put_back(later)
        lost = member.job.lost()
        if member.job.facts.outcome == "error" or isinstance(lost, ImageError):
            # Its initializer raised, or it could not even begin: nor could the next one.
            self._put_back(begun)
            self._break(functools.partial(unready, member.job))
            return
        for call in begun:
            call.fail(lost or vanished(member.job))

    def _break(self, broken: Broken) -> None:
        """Take it that no call can be made any more; `broken` says why, to whoever asks."""
        with self._lock:
            calls, self._waiting = [*self._in_hand, *self._waiting], deque()
            self._in_hand, self._broken = [], broken
        for member in self._members:
            calls += [call for some in member.doubtful() for call in some]
            with contextlib.suppress(NbbatchError):
                member.job.cancel()
        for call in calls:
            if call.running() or call.set_running_or_notify_cancel():
                call.come(lambda: (None, broken()), well=False)

    def _stop(self) -> None:
        """Stop all workers; those calls that were to be given to one next are dropped, too."""
        with self._lock:
            calls, self._waiting = list(self._waiting), deque()
            self._terminated = True
        for member in self._members:
            member.last = True
            with contextlib.suppress(NbbatchError):
                member.job.cancel()
        for call in calls:
            if call.running() or call.set_running_or_notify_cancel():
                call.fail(never_made())

    def _leave(self) -> None:
        """End the workers; those that have never begun need not begin."""
        for member in self._members:
            with contextlib.suppress(NbbatchError):
                self._dismiss(member)
                state = member.job.facts.state
                # One that has just been told may have ended by now.
                if state is not State.RUNNING and not state.final:
                    member.job.cancel()
        for member in self._members:
            member.job.wait(_GRACE)
        self._members = []
        forget(self)


def _joined(thread: threading.Thread, timeout: float | None) -> bool:
    thread.join(timeout)
    return not thread.is_alive()


def _nothing() -> None:
    """Have the pool's thread look again."""
