"""A card where nobody can watch: plain from the start, and put right as the job goes on.

Whoever executes notebooks in bulk keeps outputs, and runs no page that could draw a widget. When
the notebook ends and jobs still run, nothing can be put right any more; so what stands there is
true at any time: what was last seen, when, and how to see more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import IPython.display

from nbbatch.facts import JobFacts
from nbbatch.widgets import static
from nbbatch.widgets.log import Tail
from nbbatch.widgets.output import Handle, Remains
from nbbatch.widgets.pump import Pump, shared

__all__ = ["StillView"]

#: Seconds after which a new state is drawn once more: whoever executes a notebook takes nothing
#: that comes between two cells.
ONCE_MORE = 1.0


class StillView:
    """Draws one job as a plain output.

    Parameters
    ----------
    display, pump, clock
        Where it is put, what ticks it, and what tells when it is to be renewed.
    """

    def __init__(
        self,
        facts: JobFacts,
        *,
        display: Callable[..., Handle | None] = IPython.display.display,
        pump: Pump = shared,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()  # what was collected
        self._drawing = threading.Lock()  # the output
        self._facts = facts
        self._tail = Tail()
        self._closed = False
        self._display, self._pump, self._remains = display, pump, Remains(clock)
        self._clock, self._once_more = clock, float("inf")
        self.renew()
        pump.add(self)

    def renew(self) -> None:
        """Put the card below the cell; again, where the job has cleared the outputs."""
        with self._drawing:
            self._remains.due(self._state())
            self._handle = self._display(self._drawn(), raw=True, display_id=True)

    def update(self, facts: JobFacts) -> None:
        """Show `facts` at the next tick, if they tell of another state."""
        with self._lock:
            self._facts = facts

    def write(self, name: str, text: str) -> None:
        """Append to the log; its end is shown."""
        with self._lock:
            self._tail.feed(name, text)

    def settle(self) -> None:
        """Do nothing: the card is a place of its own."""

    def release(self) -> None:
        """Do nothing: nobody could click."""

    def poll(self) -> None:
        """Do nothing: nobody could click."""

    def tick(self) -> None:
        """Put the output right: called by the pump."""
        with self._drawing:
            if self._closed or self._handle is None:
                return
            now = self._clock()
            if self._remains.due(self._state()):
                self._once_more = now + ONCE_MORE
            elif now >= self._once_more:
                self._once_more = float("inf")
            else:
                return
            self._handle.update(self._drawn(), raw=True)

    def finish(self, facts: JobFacts, *, log_tail: bool = True) -> None:
        """Leave the final form.

        Parameters
        ----------
        log_tail
            Whether it holds the end of the log; without, where the outputs follow anyway.
        """
        self._pump.remove(self)
        with self._drawing:
            if self._closed:
                return
            self._closed = True
            self.update(facts)
            if self._handle is not None:
                self._handle.update(self._drawn(log_tail=log_tail), raw=True)

    def _drawn(self, *, log_tail: bool = True) -> dict[str, str]:
        with self._lock:
            facts, tail = self._facts, self._tail.lines() if log_tail else ()
        return static.bundle(facts, tail)

    def _state(self) -> str:
        with self._lock:
            return f"{self._facts.state} {self._facts.attempt} {self._facts.outcome}"
