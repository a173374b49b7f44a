"""Waiting for a job in front of the person who asked for it.

The watcher's thread brings facts and frames; the view shows them live. What belongs under the
cell as ordinary outputs is emitted here, in the main thread, in the job's own order. Ctrl-C or
Stop, and the view's own buttons, cancel the job or let it run on.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from nbbatch.facts import JobFacts
from nbbatch.futures.job import Job
from nbbatch.futures.replay import TextLimit
from nbbatch.widgets import View, show
from nbbatch.wire.frames import Frame

__all__ = ["Detached", "Emitter", "Follower", "fitting_emitter", "follow", "show_detached"]

#: Seconds between two looks in the main thread: short enough for Ctrl-C and displays.
_STEP = 0.05


class Emitter(Protocol):
    """Writes ordinary outputs where the cell's outputs go."""

    #: Whether text is shown here; where the view shows it as it comes, it is not said twice.
    takes_text: bool

    def emit(self, frame: Frame) -> None:
        """Write one frame: ``stream``, ``display``, ``result`` or ``clear``."""


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
        _wait(job, follower, outputs, view)
    except Detached:
        _leave(job, follower, view)
        raise
    outputs.take(follower.taken())
    view.finish(job.facts, log_tail=not emitter.takes_text)
    outputs.end()


def _shown(job: Job[Any], follower: Follower, *, detachable: bool) -> View:
    view = show(
        job.facts,
        cancel=follower.cancel.set,
        detach=follower.detach.set if detachable else None,
        blocking=True,
    )
    follower.show(view)
    return view


def show_detached(job: Job[Any], follower: Follower) -> None:
    """Show a job that nobody waits for; its card folds by itself at the end."""
    view = show(job.facts, cancel=follower.cancel.set, blocking=False)
    follower.show(view)
    _leave(job, follower, view)


def _leave(job: Job[Any], follower: Follower, view: View) -> None:
    """Let the job run on: its card stays live, and its Cancel goes straight to the job."""
    view.release()
    follower.release()
    follower.cancel.act = job.cancel
    job.add_done_callback(lambda _: view.finish(job.facts))


def _wait(job: Job[Any], follower: Follower, outputs: _Outputs, view: View) -> None:
    asked = False
    while True:
        try:
            if job.wait(_STEP):
                return
            view.poll()
            outputs.take(follower.taken())
            if follower.detach.is_set():
                raise Detached
            if follower.cancel.is_set() and not asked:
                asked = job.cancel()
        except KeyboardInterrupt:
            if asked:
                # Stop was pressed twice: the person wants the cell back now.
                raise
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


class _PlainEmitter:
    """Outputs of a plain Python process: the view has shown the text, the rest has one too."""

    takes_text = False

    def emit(self, frame: Frame) -> None:
        text = frame.get("data", {}).get("text/plain")
        if text:
            print("".join(text) if isinstance(text, list) else text)


class _NotebookEmitter:
    """Outputs of a kernel: messages like those of an ordinary cell."""

    takes_text = True

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def emit(self, frame: Frame) -> None:
        kind = frame["kind"]
        if kind == "stream":
            (sys.stdout if frame["name"] == "stdout" else sys.stderr).write(frame["text"])
        elif kind == "display":
            self._display(frame)
        elif kind == "clear":
            self._shell.display_pub.clear_output(wait=frame["wait"])
        else:
            self._result(frame["data"], frame["metadata"])

    def _display(self, frame: Frame) -> None:
        id_ = frame["display_id"]
        self._shell.display_pub.publish(
            data=frame["data"],
            metadata=frame["metadata"],
            transient={"display_id": id_} if id_ else {},
            update=bool(frame["update"]),
        )

    def _result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        hook = self._shell.displayhook
        hook.start_displayhook()
        hook.write_output_prompt()
        hook.write_format_data(dict(data), dict(metadata))
        hook.finish_displayhook()


class _TerminalEmitter(_NotebookEmitter):
    """Outputs of IPython in a terminal: the view has shown the text."""

    takes_text = False


def fitting_emitter() -> Emitter:
    """Return the emitter that fits this process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return _PlainEmitter()
    return _NotebookEmitter(shell) if hasattr(shell, "kernel") else _TerminalEmitter(shell)
