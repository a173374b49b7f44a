"""The monitor, put together: the session's jobs, what can be done with them, and the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbbatch.follow import Follower, show_detached
from nbbatch.listing import list_jobs
from nbbatch.origin import notebook
from nbbatch.session import Session, current_session
from nbbatch.widgets import can_be_live

__all__ = ["monitor"]


def monitor(all: bool = False) -> None:
    """Show this notebook's jobs, live; where there is no page to show them, print them.

    Parameters
    ----------
    all
        Whether to show this user's jobs of all notebooks and scripts.
    """
    if not can_be_live():
        print(list_jobs("" if all else notebook()))
        return
    from nbbatch.widgets.monitor.view import MonitorView  # a terminal never loads it

    session, name = current_session(), notebook()
    MonitorView(
        lambda every: session.roll(None if every else name),
        lambda id_, display: _card(session, id_, display),
        all=all,
        display=_displayed,
    )


def _displayed(bundle: dict[str, Any]) -> Any:
    from IPython.display import display

    shown: Any = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    return shown


def _card(session: Session, id_: str, display: Callable[..., Any]) -> Callable[[], None]:
    """Show a job's card, live; return what ends it."""
    follower = Follower()
    job = session.attach(id_, follower)
    view = show_detached(job, follower, display)

    def end() -> None:
        job.ignore(follower)
        view.finish(job.facts)

    return end
