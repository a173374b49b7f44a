"""A job that is looked at again: its card anew, or its story as text."""

from __future__ import annotations

import time
from typing import Any

from nbbatch.follow.following import Follower
from nbbatch.futures.job import Job
from nbbatch.widgets import has_comms, render_html, render_story, show

__all__ = ["folded", "show_again"]

#: Seconds for which the story is waited for where it is told once, and between two looks.
_PATIENCE, _STEP = 5.0, 0.05


def show_again(job: Job[Any], follower: Follower) -> None:
    """Show any job anew: its live card, or in a terminal its story so far.

    One that runs folds by itself at its end; one that had ended before stays until it is folded.
    """
    if has_comms():
        _open(job, follower)
    else:
        _tell(job)


def _open(job: Job[Any], follower: Follower) -> None:
    opened = time.time()

    def fold() -> None:
        if job.done():
            view.finish(job.facts)

    def ended(_: object) -> None:
        stopped = job.facts.stopped_at
        if stopped is not None and stopped >= opened:
            view.finish(job.facts)

    view = show(job.facts, cancel=follower.cancel.set, fold=fold)
    follower.show(view)
    view.release()
    follower.release()
    follower.cancel.act = job.cancel
    job.add_done_callback(ended)


def _tell(job: Job[Any]) -> None:
    end = time.monotonic() + _PATIENCE
    while not job.wait(_STEP) and not job.facts.usage and time.monotonic() < end:
        pass
    print(render_story(job.facts))


def folded(job: Job[Any]) -> str | None:
    """Return the folded card of a job that has ended, as HTML."""
    return render_html(job.facts) if job.done() else None
