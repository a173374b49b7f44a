"""The live table of many jobs in a notebook: one widget with rows, not a widget for each.

Only what has changed is sent, a few times a second at most, and nothing while no page shows it.
Clicks come as the card's do; what takes long is done in a thread of its own.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Protocol

import anywidget
import ipywidgets
from traitlets import Bool, Dict, Unicode

from nbbatch.facts import JobFacts
from nbbatch.widgets import door
from nbbatch.widgets.monitor.changes import Changes
from nbbatch.widgets.monitor.painting import here
from nbbatch.widgets.monitor.presence import Presence
from nbbatch.widgets.monitor.shelf import Shelf
from nbbatch.widgets.monitor.table import table_bundle
from nbbatch.widgets.output import Handle, Remains, part_at_exit
from nbbatch.widgets.page import script, style
from nbbatch.widgets.pump import Pump, shared

__all__ = ["Jobs", "MonitorView", "MonitorWidget"]

_TABLE = ("rows", "line", "table", "toolbar")
_SCRIPT = ("base", "clicks", "chart", "parts", *_TABLE, "leave", "monitor")
_STYLE = ("theme", "card", "parts", "monitor")
#: Seconds between two messages to a page that is seen, and to one that is hidden.
SEEN, HIDDEN = 0.3, 3.0
#: Outputs are painted for so many jobs at a time.
MOST_OUTPUTS = 20


class Jobs(Protocol):
    """What is shown: jobs with their facts, live between `open` and `close`."""

    trouble: str

    @property
    def older(self) -> int:
        """How many older ones have not been looked at."""

    def open(self) -> None:
        """Begin to ask about them."""

    def close(self) -> None:
        """Ask nothing more."""

    def more(self) -> None:
        """Look for older ones, too."""

    def facts(self) -> list[JobFacts]:
        """Return what is known now, the newest first; the same objects where nothing changed."""

    def cancel(self, ids: Collection[str]) -> dict[str, Any]:
        """Ask some to end; return the errors of those that could not be asked."""

    def outputs(self, id_: str) -> list[dict[str, Any]]:
        """Return a job's notebook outputs."""


class MonitorWidget(anywidget.AnyWidget):
    """The page's side of the table (page/monitor.js); rows come as messages."""

    _esm = script(*_SCRIPT)
    _css = style(*_STYLE)

    key = Unicode("").tag(sync=True)
    #: Some cell may wait for a job at any time: every click takes both ways.
    blocking = Bool(True).tag(sync=True)
    #: The plain table, for a page that must put it in the place itself (page/leave.js).
    left = Dict().tag(sync=True)


class MonitorView:
    """Draws jobs until `close` leaves a plain table in its place.

    Parameters
    ----------
    jobs
        Returns those of all notebooks, or of this one.
    card
        Puts a job's card on show with this display function; returns what takes it away.
    all
        Whether jobs of all notebooks are shown at first.
    """

    def __init__(
        self,
        jobs: Callable[[bool], Jobs],
        card: Callable[[str, Callable[..., Any]], Callable[[], None]],
        *,
        all: bool = False,
        display: Callable[[dict[str, Any]], Handle | None],
        presence: Presence | None = None,
        pump: Pump = shared,
    ) -> None:
        self._make_jobs, self._card, self._place = jobs, card, here()
        self._all, self._jobs = all, jobs(all)
        self._presence = presence or Presence()
        self._pump = pump
        self._sending = threading.RLock()
        self._changes, self._remains = Changes(), Remains()
        self._next = 0.0
        self._open = self._closed = False
        self.widget = MonitorWidget(key=uuid.uuid4().hex)
        self._shelf = Shelf()
        self._root = ipywidgets.VBox([self.widget, self._shelf.box])
        self._listener = door.listen(self.widget.key, self._heard)
        self.widget.on_msg(lambda _widget, message, _buffers: self._listener.hear(message))
        self._resume()
        self._handle = display({**_view(self._root), **self._plain()})
        part_at_exit(self)

    def tick(self) -> None:
        """Send what has changed: called by the pump."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (SEEN if self._presence.visible else HIDDEN)
        with self._sending:
            if self._presence.gone():
                self._pause()
            elif self._open:
                self._send()

    def close(self) -> None:
        """Leave a plain table in the place of the live one."""
        with self._sending:
            if self._closed:
                return
            self._closed = True
            plain = self._plain()
            self._pause()
            if self._handle is not None:
                self._handle.update(plain, raw=True)
            self._leave(plain, final=True)
            self._shelf.close()
            for widget in (self._root, self.widget):
                widget.close()

    def part(self) -> None:
        """Leave the plain table as the kernel ends."""
        self.close()

    def _plain(self) -> dict[str, str]:
        return table_bundle(self._jobs.facts(), self._jobs.older)

    def _pause(self) -> None:
        if self._open:
            self._open = False
            self._pump.remove(self)
            self._jobs.close()

    def _resume(self) -> None:
        if not self._open and not self._closed:
            self._open = True
            self._jobs.open()
            self._pump.add(self)

    def _send(self) -> None:
        message = self._changes.take(self._jobs.facts(), self._head())
        if message is None:
            return
        self.widget.send(message)
        if self._remains.due(""):
            self._leave(self._plain())

    def _leave(self, bundle: dict[str, str], *, final: bool = False) -> None:
        self.widget.left = {"id": self._root.model_id, "data": bundle, "final": final}

    def _head(self) -> dict[str, Any]:
        jobs = self._jobs
        return {"all": self._all, "older": jobs.older, "trouble": jobs.trouble}

    def _heard(self, message: dict[str, Any]) -> None:
        act = getattr(self, f"_on_{message['ask']}", None)
        if act is None or self._closed:
            return
        answer = threading.Thread(target=self._act, args=(act, message), name="nbbatch-ask")
        answer.daemon = True
        answer.start()

    def _act(self, act: Callable[[dict[str, Any]], None], message: dict[str, Any]) -> None:
        """Do what the page asks for and tell it that it is done, or why it can't be."""
        said = ""
        try:
            act(message)
        # Whatever it is, the page has to say it: there is nobody else to tell.
        except Exception as error:
            said = f"{getattr(error, 'what', '') or type(error).__name__}: {error}"
        with self._sending:
            if message.get("id") and not self._closed:
                self._next = 0.0
                self.widget.send({"kind": "done", "id": message["id"], "error": said})

    def _on_look(self, message: dict[str, Any]) -> None:
        """Serve a page; it may have nothing yet, or have missed something."""
        self._presence.hear(bool(message.get("visible", True)))
        with self._sending:
            self._resume()
            if message.get("seq") != self._changes.seq:
                self._changes.again()
                self._next = 0.0

    def _on_gone(self, message: dict[str, Any]) -> None:
        """Rest: the last view has been taken away."""
        with self._sending:
            self._pause()

    def _on_all(self, message: dict[str, Any]) -> None:
        with self._sending:
            was_open = self._open
            self._pause()
            self._all = bool(message.get("all"))
            self._jobs = self._make_jobs(self._all)
            self._changes.again()
            if was_open:
                self._resume()

    def _on_older(self, message: dict[str, Any]) -> None:
        self._jobs.more()

    def _on_parts(self, message: dict[str, Any]) -> None:
        self._changes.unfold(str(message["job"]), bool(message.get("open")))

    def _on_cancel(self, message: dict[str, Any]) -> None:
        ids = _ids(message)
        self._changes.note(dict.fromkeys(ids, "cancelling…"))
        errors = self._jobs.cancel(ids)
        self._changes.note({id_: f"not cancelled: {error}" for id_, error in errors.items()})

    def _on_card(self, message: dict[str, Any]) -> None:
        for id_ in _ids(message):
            facts = next((facts for facts in self._jobs.facts() if facts.id == id_), None)
            if facts is not None:
                self._shelf.put(id_, facts.name, partial(self._card, id_))

    def _on_outputs(self, message: dict[str, Any]) -> None:
        for facts in self._of(_ids(message)[:MOST_OUTPUTS]):
            outputs = self._jobs.outputs(facts.id)
            title = f"── outputs of {facts.name} ({facts.id})" + ("" if outputs else ": none")
            if message.get("saved") and self._place is not None:
                self._place.paint(title, outputs)
            else:
                self._shelf.show(facts.id, title, outputs)

    def _of(self, ids: Sequence[str]) -> list[JobFacts]:
        known = {facts.id: facts for facts in self._jobs.facts()}
        return [known[id_] for id_ in ids if id_ in known]

    def _on_close(self, message: dict[str, Any]) -> None:
        self.close()


def _ids(message: dict[str, Any]) -> list[str]:
    return [str(id_) for id_ in message.get("jobs", ())]


def _view(widget: Any) -> dict[str, Any]:
    """Return the MIME bundle of a widget alone."""
    bundle = widget._repr_mimebundle_()
    return dict(bundle[0] if isinstance(bundle, tuple) else bundle)
