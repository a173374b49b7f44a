"""One job in front of a person: its view, its outputs, Stop and the view's buttons.

Everything is written once, as coroutines; how a pause is made (see `pauses`) decides whether the
thread blocks meanwhile or the kernel goes on serving its page.
"""

from __future__ import annotations

import threading
import time
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from nbbatch.errors import NbbatchError, stopped
from nbbatch.facts import JobFacts, State
from nbbatch.follow.emitters import Emitter
from nbbatch.follow.pauses import Pauses, blocking, completed, kernel_ends
from nbbatch.futures.job import Job
from nbbatch.futures.telling.replay import TextLimit
from nbbatch.widgets import View, serving, show
from nbbatch.wire.frames import Frame

__all__ = ["Detached", "Follower", "follow", "following", "show_detached"]

#: Seconds after a click on Cancel within which an interrupt may come of that click: a page that
#: has not heard yet that it was taken (page/clicks.js) has the kernel interrupted.
_SAME_WISH = 10.0


class Detached(Exception):
    """The person lets the job run on and has the cell back."""


class _Ask(threading.Event):
    """A wish that is taken note of, or acted on at once where nobody looks at the note."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], object] | None = None

    def set(self) -> None:
        super().set()
        if self.act is not None:
            self.act()


class Follower:
    """Takes facts and frames from the watcher's thread, for the view and the main thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: deque[Frame] = deque()
        self._facts: JobFacts | None = None
        self._early: list[Frame] = []
        self._view: View | None = None
        self._keep = True
        self.cancel = _Ask()
        self.detach = threading.Event()

    def on_facts(self, facts: JobFacts) -> None:
        """Take the facts after a change."""
        with self._lock:
            self._facts = facts
            if self._view is not None:
                self._view.update(facts)

    def on_frames(self, frames: list[Frame]) -> None:
        """Take the next frames."""
        with self._lock:
            if self._keep:
                self._frames.extend(frames)
            if self._view is None:
                self._early += frames
            else:
                _write(self._view, frames)

    def open(self, facts: JobFacts, *, detachable: bool) -> None:
        """Show a job that is not started yet, or what is being done for it; in the main thread.

        Raises
        ------
        KeyboardInterrupt
            The person has cancelled it.
        """
        if self._view is None:
            detach = self.detach.set if detachable else None
            self.show(show(facts, cancel=self.cancel.set, detach=detach, blocking=True))
        self.on_facts(facts)
        if self._view is not None:
            self._view.poll()
        if self.cancel.is_set():
            raise KeyboardInterrupt

    @property
    def view(self) -> View | None:
        """What shows the job already, if anything does."""
        return self._view

    def close(self, error: BaseException) -> None:
        """Leave what is to be said of a job that was not started after all; in the main thread."""
        if self._view is not None and self._facts is not None:
            what = error.what if isinstance(error, NbbatchError) else "not started"
            state, outcome = State.FAILED, "cancelled" if self.cancel.is_set() else "unstarted"
            ended = replace(self._facts, state=state, outcome=outcome, message=what)
            self._view.finish(ended, log_tail=False)

    def show(self, view: View) -> None:
        """Give the view what has come so far, and from now on what comes."""
        with self._lock:
            self._view = view
            if self._facts is not None:
                view.update(self._facts)
            _write(view, self._early)
            self._early = []

    def release(self) -> None:
        """Keep no more frames: nobody will emit them."""
        with self._lock:
            self._keep = False
            self._frames.clear()

    def taken(self) -> Iterator[Frame]:
        """Yield the frames that wait for the main thread."""
        while self._frames:
            yield self._frames.popleft()


def _write(view: View, frames: list[Frame]) -> None:
    for item in frames:
        if item["kind"] == "stream":
            view.write(item["name"], item["text"])


def follow(job: Job[Any], follower: Follower, emitter: Emitter, *, detachable: bool) -> None:
    """Show a job and wait for its end; see `following`."""
    completed(following(job, follower, emitter, detachable=detachable))


async def following(
    job: Job[Any],
    follower: Follower,
    emitter: Emitter,
    *,
    detachable: bool,
    pauses: Pauses = blocking,
) -> None:
    """Show a job and wait for its end, in the main thread.

    Raises
    ------
    Detached
        The person chose to let it run on.
    """
    try:
        view = _shown(job, follower, detachable=detachable)
    except KeyboardInterrupt:
        # The first card of a kernel takes a moment to load; Stop means the job even then.
        follower.cancel.set()
        view = _shown(job, follower, detachable=detachable)
    outputs = _Outputs(emitter, view)
    try:
        await _end(job, follower, outputs, view, pauses)
    # Stop was pressed twice, or the task cancelled: the cell is given back all the same.
    except (Detached, KeyboardInterrupt, CancelledError):
        _leave(job, follower, view)
        raise
    outputs.take(follower.taken())
    view.finish(job.facts, log_tail=not emitter.takes_text)
    outputs.end()


def _shown(job: Job[Any], follower: Follower, *, detachable: bool) -> View:
    if follower.view is not None:
        follower.view.update(job.facts)
        return follower.view
    view = show(
        job.facts,
        cancel=follower.cancel.set,
        detach=follower.detach.set if detachable else None,
        blocking=True,
    )
    follower.show(view)
    return view


def show_detached(
    job: Job[Any], follower: Follower, display: Callable[..., Any] | None = None
) -> View:
    """Show a job that nobody waits for; its card folds by itself at the end.

    Parameters
    ----------
    display
        Puts the card elsewhere than below the cell; see `nbbatch.widgets.show`.
    """
    view = follower.view
    if view is None:
        view = show(job.facts, cancel=follower.cancel.set, blocking=False, display=display)
        follower.show(view)
    _leave(job, follower, view)
    return view


def _leave(job: Job[Any], follower: Follower, view: View) -> None:
    """Let the job run on: its card stays live, and its Cancel goes straight to the job."""
    view.release()
    follower.release()
    follower.cancel.act = job.cancel
    job.add_done_callback(lambda _: view.finish(job.facts))


async def _end(
    job: Job[Any], follower: Follower, outputs: _Outputs, view: View, pauses: Pauses
) -> None:
    """Wait for the end, and do meanwhile what the person asks for."""
    asked, clicked = False, -_SAME_WISH
    with serving() as serve:
        pause = pauses(job)
        while True:
            try:
                if await pause():
                    return
                serve()
                view.poll()
                outputs.take(follower.taken())
                if follower.detach.is_set():
                    raise Detached
                if follower.cancel.is_set() and not asked:
                    clicked = time.monotonic()
                    asked = job.cancel()
            # Stop; whoever cancels the task that runs the cell wants the same.
            except (KeyboardInterrupt, CancelledError):
                if asked and time.monotonic() - clicked < _SAME_WISH:
                    clicked = -_SAME_WISH
                    continue
                if asked:
                    # Pressed twice: the person wants the cell back now.
                    raise stopped(f"{job.name} ends without the cell: job {job.id}") from None
                if await kernel_ends(pause):
                    # A job outlives its kernel.
                    raise stopped(f"{job.name} goes on: %batch attach {job.id}") from None
                asked = job.cancel()


class _Outputs:
    """Emits frames in order; text waits until it is followed by something else, or the end.

    The view shows text while it comes; under the cell it belongs before what came after it.
    """

    def __init__(self, emitter: Emitter, view: View) -> None:
        self._emitter = emitter
        self._view = view
        self._limit = TextLimit()
        self._text: list[Frame] = []
        self._last = "stdout"

    def take(self, frames: Iterator[Frame]) -> None:
        for item in frames:
            if item["kind"] == "stream":
                self._keep(item)
            elif item["kind"] in ("display", "result", "clear"):
                self._flush()
                if item["kind"] == "result":
                    self._end_text()
                self._view.settle()
                self._emitter.emit(item)
                if item["kind"] == "clear":
                    self._view.renew()

    def end(self) -> None:
        self._flush()
        self._end_text()

    def _end_text(self) -> None:
        rest = self._limit.end()
        if rest and self._emitter.takes_text:
            self._emitter.emit({"kind": "stream", "name": self._last, "text": rest})

    def _keep(self, item: Frame) -> None:
        shown = self._limit.take(item["text"])
        self._last = item["name"]
        if shown:
            self._text.append({**item, "text": shown})

    def _flush(self) -> None:
        for item in self._text if self._emitter.takes_text else ():
            self._emitter.emit(item)
        self._text = []
