"""The live card in a notebook: an anywidget, driven from any thread through the pump.

The widget is only written by the pump's tick, by answers and by `finish`, one at a time:
ipywidgets is not thread-safe. What the page says comes as a comm message, and while a cell waits
for the job (`blocking`) also through the `door`. A click is answered in the trait `asked`; only
where no answer comes does the page interrupt the kernel. What is asked about the log is answered
by a message.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

import anywidget
import IPython.display
from traitlets import Bool, Dict, Unicode

from nbbatch.facts import JobFacts
from nbbatch.widgets import door, static
from nbbatch.widgets.log import ASKS, JobLog
from nbbatch.widgets.model import card_model
from nbbatch.widgets.output import Handle, Remains, part_at_exit
from nbbatch.widgets.page import script, style
from nbbatch.widgets.pump import Pump, shared

__all__ = ["CardView", "CardWidget"]

_LOG = ("log", "refill", "paint", "search", "sheet", "save", "tools", "pane")
_PARTS = ("copy", "fold", "head", "timeline", "bars", "chart", "meters", "resources", "parts")
_SCRIPT = ("base", "clicks", "ansi", *_LOG, *_PARTS, "leave", "card")
#: How often the page's copy of the end of the log is renewed, for a reload: seconds.
TAIL_SECONDS = 2.0


class CardWidget(anywidget.AnyWidget):
    """The card's model, shared with the page (page/card.js)."""

    _esm = script(*_SCRIPT)
    _css = style("theme", "card", "timeline", "bars", "meters", "parts", "log")

    #: `CardModel.as_json`.
    card = Dict().tag(sync=True)
    #: Whether a cell is waiting for this job: only then may the page interrupt the kernel.
    blocking = Bool(False).tag(sync=True)
    detachable = Bool(False).tag(sync=True)
    #: Whether the card stays after the job's end, until a click folds it.
    foldable = Bool(False).tag(sync=True)
    #: The plain form, for a page that must put it in the card's place itself (page/leave.js).
    left = Dict().tag(sync=True)
    #: Tells this card from others where clicks come through the `door`.
    key = Unicode("").tag(sync=True)
    #: The answer to a click: ``cancel`` or ``detach``.
    asked = Unicode("").tag(sync=True)
    #: `JobLog.start_again`: the end of the log, for a page that is loaded again.
    tail = Dict().tag(sync=True)

    def __init__(self, stand_in: dict[str, str], **traits: Any) -> None:
        super().__init__(**traits)
        self._stand_in = stand_in

    def __repr__(self) -> str:
        return self._stand_in["text/plain"]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Add what is shown where there is no live kernel: anywidget has no such form."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**(data or {}), **self._stand_in}, metadata

    def retire(self) -> None:
        """Drop what the page no longer needs, and end."""
        # Some front ends keep the last state of every widget in the notebook file.
        with self.hold_sync():
            self.tail, self.left = {}, {}
            self._esm, self._css = "export default {}", ""
        self.close()


#: Logs of cards that have ended, and whose page may still show them: a file each.
ENDED_LOGS = 8
_ended: deque[JobLog] = deque()


def _keep_some(log: JobLog) -> None:
    _ended.append(log)
    while len(_ended) > ENDED_LOGS:
        _ended.popleft().close()


class CardView:
    """Draws one job in the notebook until `finish` leaves the plain form in its place.

    Parameters
    ----------
    cancel, detach, blocking
        As in `nbbatch.widgets.show`.
    display, pump
        Where the card is put, and what ticks it.
    """

    def __init__(
        self,
        facts: JobFacts,
        *,
        cancel: Callable[[], None],
        detach: Callable[[], None] | None = None,
        blocking: bool = False,
        display: Callable[..., Handle | None] = IPython.display.display,
        pump: Pump = shared,
    ) -> None:
        self._asks = {"cancel": cancel, **({"detach": detach} if detach else {})}
        self._lock = threading.Lock()  # what was collected
        self._sending = threading.Lock()  # the widget
        self._facts: JobFacts | None = None
        self._known, self._remains = facts, Remains()
        self._asked = ""
        self._log, self._tail_at = JobLog(), 0.0
        self._closed = self._retired = False
        self._pump = pump
        stand_in = {"text/html": static.live_html(facts), "text/plain": static.live_text(facts)}
        self.widget = CardWidget(
            stand_in,
            card=card_model(facts, time.time()).as_json(),
            blocking=blocking,
            detachable=detach is not None,
            key=uuid.uuid4().hex,
        )
        self._listener = door.listen(self.widget.key, self._heard)
        self.widget.on_msg(lambda _widget, message, _buffers: self._listener.hear(message))
        self._display = display
        self.renew()
        pump.add(self)
        part_at_exit(self)

    def renew(self) -> None:
        """Put the card below the cell; again, where the job has cleared the outputs."""
        self._handle = self._display(self.widget, display_id=True)

    def update(self, facts: JobFacts) -> None:
        """Show `facts` at the next tick."""
        with self._lock:
            self._facts = self._known = facts

    def write(self, name: str, text: str) -> None:
        """Append to the log at the next tick; `name` is ``stdout`` or ``stderr``."""
        if not self._closed:
            self._log.write(name, text)

    def settle(self) -> None:
        """Do nothing: the card is a place of its own."""

    def stay(self, fold: Callable[[], None]) -> None:
        """Offer a click that folds the card, which stays after the job's end."""
        self._asks["fold"] = fold
        with self._sending:
            self.widget.foldable = True

    def release(self) -> None:
        """Say that no cell waits for the job any more; the card stays live."""
        with self._sending:
            if not self._closed:
                self.widget.blocking = False

    def poll(self) -> None:
        """Take clicks while a cell waits; they may be for another card, too."""
        door.serve()

    def ask(self, what: str) -> None:
        """Do what a click asks for, once: it may come on two ways.

        What was detached can still be cancelled.
        """
        ask = self._asks.get(what)
        with self._lock:
            if ask is None or self._asked in (what, "cancel") or self._closed:
                return
            self._asked = what
        ask()

    def finish(self, facts: JobFacts, *, log_tail: bool = True) -> None:
        """Leave the final plain form in the card's place.

        Parameters
        ----------
        log_tail
            Whether it holds the end of the log; without, where the outputs follow anyway.
        """
        self._pump.remove(self)
        with self._sending:
            if self._closed:
                return
            self._closed = True
            # Now: a late click must not interrupt the next cell.
            self.widget.blocking = False
            self.update(facts)
            self._tail_at = 0.0
            self._send()
            tail = self._log.tail()
            if self._handle is not None:
                self._handle.update(static.bundle(facts, tail if log_tail else ()), raw=True)
            # A page that was loaded again gets neither that nor the outputs.
            self._leave(static.bundle(facts, tail), final=True)
            if not door.attended():
                self._retire()
        _keep_some(self._log)

    def part(self) -> None:
        """Leave the plain form as the kernel ends, whatever the job's state."""
        self.finish(self._known)

    def tick(self) -> None:
        """Send what was collected: called by the pump."""
        with self._sending:
            if not self._closed:
                self._send()

    def _send(self) -> None:
        message = self._log.take()
        with self._lock:
            facts, self._facts = self._facts, None
            asked = self._asked
        if message is not None:
            self.widget.send(message)
        self._sync(facts, asked)

    def _sync(self, facts: JobFacts | None, asked: str) -> None:
        with self.widget.hold_sync():
            if facts is not None:
                self.widget.card = card_model(facts, time.time()).as_json()
                if self._remains.due(self.widget.card["word"]):
                    self._leave(static.bundle(facts, self._log.tail()))
            self.widget.asked = asked
            if time.monotonic() - self._tail_at >= TAIL_SECONDS:
                self._tail_at = time.monotonic()
                self.widget.tail = self._log.start_again()

    def _leave(self, bundle: dict[str, str], *, final: bool = False) -> None:
        self.widget.left = {"id": self.widget.model_id, "data": bundle, "final": final}

    def _heard(self, message: door.Message) -> None:
        what = message["ask"]
        if what == "close":
            self._left()
        elif what in ASKS:
            self._answer(message)
        else:
            self.ask(what)

    def _answer(self, message: door.Message) -> None:
        told, buffers = self._log.answer(message)
        with self._sending:
            if not self._retired:
                self.widget.send(told, buffers=buffers)

    def _left(self) -> None:
        """Free a card that has ended and that no page shows any more."""
        with self._sending:
            if self._closed:
                self._retire()

    def _retire(self) -> None:
        if not self._retired:
            self._retired = True
            self.widget.retire()
            self._log.close()
