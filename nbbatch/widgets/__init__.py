"""What a person sees of a job: a live card in a notebook, a line in a terminal.

Widgets know facts, nothing of sessions or backends: whoever shows a job hands in its facts and
what to do on a click. Neither ipywidgets nor anywidget is loaded before a card is really shown.

===========  ====================================================================
`model`      facts to texts, pure
`log`        a job's text, bounded
`static`     the final form: plain HTML, plain text
`page`       its scripts and styles
`card`       the live card in a notebook
`still`      a plain card, where nobody can watch
`output`     what is left of a notebook's outputs when its kernel ends
`monitor`    the live table of many jobs
`door`       how a click reaches a kernel that is busy
`desk`       what else a page asks while a cell waits
`terminal`   the live line in a terminal, plain lines in a pipe
`pump`       the one thread that serves all live views
===========  ====================================================================
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

from nbbatch.facts import JobFacts
from nbbatch.widgets import door
from nbbatch.widgets.desk import serving
from nbbatch.widgets.static import render_html, render_story, render_text
from nbbatch.widgets.terminal import TerminalView

__all__ = [
    "TerminalView",
    "View",
    "can_be_live",
    "has_comms",
    "render_html",
    "render_story",
    "render_text",
    "serving",
    "show",
]


class View(Protocol):
    """One job on show; `update` and `write` may be called from any thread."""

    def update(self, facts: JobFacts) -> None:
        """Show newer facts."""

    def write(self, name: str, text: str) -> None:
        """Append to the log; `name` is ``stdout`` or ``stderr``."""

    def poll(self) -> None:
        """Take clicks; the main thread calls it in each step of its wait."""

    def release(self) -> None:
        """Say that no cell waits for the job any more (it was detached); it stays live."""

    def settle(self) -> None:
        """Show what waits, now: something else is about to be written below it."""

    def renew(self) -> None:
        """Show it again: the job has cleared the outputs, and the view with them."""

    def finish(self, facts: JobFacts, *, log_tail: bool = True) -> None:
        """Leave the final form in the view's place; called in the main thread.

        Parameters
        ----------
        log_tail
            Whether it holds the end of the log; without, where outputs follow anyway.
        """


def show(
    facts: JobFacts,
    *,
    cancel: Callable[[], None],
    detach: Callable[[], None] | None = None,
    fold: Callable[[], None] | None = None,
    blocking: bool = False,
    display: Callable[..., Any] | None = None,
) -> View:
    """Put a job on show: as a live card, as a plain one where nobody watches, else as text.

    Parameters
    ----------
    cancel, detach
        Called on a click, each at most once, from any thread: they must only take note (set an
        event). A job that was detached can still be cancelled. Without `detach` there is no
        such button.
    fold
        Called on a click, where a live card stays after the job's end; it must call
        `View.finish`.
    blocking
        Whether a running cell waits for the job, calling `View.poll` as it does. A click on
        Cancel that is not taken within a moment reaches that cell as `KeyboardInterrupt`.
    display
        Puts a card elsewhere than below the cell; see `nbbatch.widgets.card.CardView`.
    """
    if has_comms():
        if not door.attended():
            from nbbatch.widgets.still import StillView

            return StillView(facts)
        from nbbatch.widgets.card import CardView  # a terminal never loads it

        where: dict[str, Any] = {} if display is None else {"display": display}
        card = CardView(facts, cancel=cancel, detach=detach, blocking=blocking, **where)
        if fold is not None:
            card.stay(fold)
        return card
    view = TerminalView()
    view.update(facts)
    return view


def can_be_live() -> bool:
    """Whether there may be a page that shows widgets, and a person before it."""
    return has_comms() and door.attended()


def has_comms() -> bool:
    """Whether this is a Jupyter kernel; where IPython is not loaded, it can't be one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
