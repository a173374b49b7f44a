"""How far the job's loops have come, told a few times a second, whatever they do.

A loop only writes into its `Bar`, since it may turn a million times a second. A thread looks at
the bars from time to time while one is open, so that the last state is told even of a loop that
got stuck right after it. In processes that the user's code forks nothing is told: two processes
can't share the pipe of frames.
"""

from __future__ import annotations

import math
import os
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from nbbatch.wire.frames import Frame
from nbbatch.worker.notebook.pace import PAUSE, Pace

#: Seconds until the first look: most loops begin with a moment in which nothing is done yet.
_FIRST = 0.05
#: Looks without an open bar after which the thread ends.
_QUIET = 4
#: Bars that are told; what is over makes room for what is new.
LIVE = 20
MAX_LABEL, MAX_UNIT = 200, 20


class Bar:
    """How far one loop has come; whoever runs the loop writes it.

    Attributes
    ----------
    passed
        Written by one loop alone, without a lock.
    added
        Written under a lock, for what comes from several threads.
    started, ended
        Seconds since the epoch.
    gone
        Whether it is to disappear, now that it is over.
    look
        Called before each telling; what is counted elsewhere is then written here.
    """

    def __init__(
        self,
        label: str,
        total: Any,
        unit: str,
        initial: float = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id = ""
        self.label = label
        self.total = total
        self.unit = unit
        self.initial = self.passed = initial
        self.added: float = 0
        self.started = clock()
        self.ended: Optional[float] = None
        self.closed = False
        self.gone = False
        self.look: Callable[[], object] = bool
        #: Where it is among the others: bars at the same place follow each other.
        self.place: Tuple[str, str] = ("", "")
        self.thread = threading.get_ident()
        self.pace = Pace(initial)
        self._lock = threading.Lock()
        self._clock = clock

    @property
    def done(self) -> float:
        """How far the loop has come."""
        return self.passed + self.added

    def add(self, n: float) -> None:
        """Say that `n` more are done; from any thread."""
        with self._lock:
            self.added += n

    def close(self, *, gone: bool = False) -> None:
        """Say that the loop is over."""
        # Nothing but this: it may be called by the collector of garbage, at any moment.
        if not self.closed:
            self.gone, self.ended = gone, self._clock()
            self.closed = True

    def follow(self, other: Bar) -> None:
        """Take the place of another one, of which the last word need not be said any more."""
        self.id = other.id
        self.pace.told, self.pace.told_at = other.pace.told, other.pace.told_at


class Bars:
    """The bars of this process.

    Parameters
    ----------
    emit
        Takes each frame; called by one thread at a time.
    """

    def __init__(
        self, emit: Callable[[Frame], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._emit: Optional[Callable[[Frame], None]] = emit
        self._bars: Dict[str, Bar] = {}
        self._leaving: List[Bar] = []
        self._count = 0
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: Optional[threading.Thread] = None
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._go_on, after_in_child=self._in_child
        )

    def open(self, label: str, total: Any, unit: str, initial: float = 0) -> Bar:
        """Begin a bar; where there is no room for it, it is one that nobody sees.

        A loop in a loop takes the place of the one before it, of the same label.
        """
        bar = Bar(label, total, unit, initial, self._clock)
        with self._lock:
            if self._emit is not None and self._make_room(bar):
                self._bars[bar.id] = bar
                self._start()
        return bar

    def _make_room(self, bar: Bar) -> bool:
        bars = list(self._bars.values())
        around = [b.id for b in bars if not b.closed and b.thread == bar.thread]
        if around:
            bar.place = (around[-1], bar.label)
            before = [b for b in bars if b.place == bar.place and b.closed]
            if before:
                bar.follow(before[0])
                return True
        over = [b for b in bars if b.closed]
        if len(bars) >= LIVE and not over:
            return False
        if len(bars) >= LIVE:
            self._drop(over[0])
        self._count += 1
        bar.id = str(self._count)
        return True

    def _drop(self, bar: Bar) -> None:
        del self._bars[bar.id]
        if bar.pace.told is not None and not bar.pace.told["closed"]:
            # It was said to be open.
            self._leaving.append(bar)

    def tick(self) -> None:
        """Say what is new."""
        with self._lock:
            seen = [*self._leaving, *self._bars.values()]
        for bar in seen:
            # Without the lock: it may be a user's code.
            bar.look()
        with self._lock:
            leaving, self._leaving = self._leaving, []
            bars = list(self._bars.values())
            for bar in (*leaving, *bars):
                self._tell(bar)
            for bar in bars:
                if bar.closed and bar.gone:
                    del self._bars[bar.id]

    def _moving(self) -> bool:
        return any(not bar.closed for bar in self._bars.values())

    def _tell(self, bar: Bar) -> None:
        state, now = _state(bar), self._clock()
        if bar.gone and bar.pace.told is None:
            return
        if self._emit is None or not bar.pace.due(state, now):
            return
        try:
            self._emit(bar.pace.tell(state, _rate(bar, state, now), now))
        # Whoever listened is gone; the loops go on.
        except OSError:
            self._emit = None

    def finish(self) -> None:
        """Say how all bars stand, and nothing from then on."""
        self._stop()
        with self._lock:
            self.tick()
            self._emit = None

    def _start(self) -> None:
        if self._thread is not None:
            return
        self._wake = wake = threading.Event()
        self._thread = threading.Thread(
            target=self._look, args=(wake,), name="nbbatch-progress", daemon=True
        )
        try:
            self._thread.start()
        # At the interpreter's end no thread starts; `finish` says how the bars stand.
        except RuntimeError:
            self._thread = None

    def _look(self, wake: threading.Event) -> None:
        pause, quiet = _FIRST, 0
        while not wake.wait(pause):
            pause = PAUSE
            self.tick()
            with self._lock:
                quiet = 0 if self._moving() else quiet + 1
                if quiet >= _QUIET:
                    self._thread = None
                    return

    def _stop(self) -> None:
        thread, self._thread = self._thread, None
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(1)

    def _before_fork(self) -> None:
        """Leave no thread that a forked child would miss."""
        self._stop()

    def _go_on(self) -> None:
        with self._lock:
            if self._emit is not None and self._moving():
                self._start()

    def _in_child(self) -> None:
        self._lock = threading.RLock()
        self._emit, self._bars, self._leaving = None, {}, []


def _state(bar: Bar) -> Dict[str, Any]:
    closed = bar.closed  # before `done`, which is final only then
    state = {
        "id": bar.id,
        "label": str(bar.label)[:MAX_LABEL],
        "done": _number(bar.done) or 0,
        "total": _number(bar.total),
        "unit": str(bar.unit)[:MAX_UNIT],
        "started": bar.started,
        "ended": bar.ended,
        "closed": closed,
    }
    return {**state, "gone": True} if closed and bar.gone else state


def _rate(bar: Bar, state: Dict[str, Any], now: float) -> Optional[float]:
    """Return how much is done in a second: of late; all in all once it is over."""
    rate = bar.pace.rate(state["done"], bar.started, now)
    if bar.ended is None or not state["closed"]:
        return rate
    seconds = bar.ended - bar.started
    return (state["done"] - bar.initial) / seconds if seconds > 0 else None


def _number(value: Any) -> Any:
    """Return a figure as JSON has it; None for what is none."""
    try:
        number = float(value)
    # Whatever the user's code calls a total.
    except Exception:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number
