"""What is done before a job can start, where it takes long: its libraries are built and sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from nbbatch.errors import stopped
from nbbatch.facts import JobFacts
from nbbatch.follow.emitters import fitting_emitter
from nbbatch.follow.following import Follower

__all__ = ["Steps", "starting"]

#: Seconds between two changes of the line.
_PAUSE = 0.1


class Steps:
    """Says which step it is: on the job's card, in a terminal with a line for each kind.

    Parameters
    ----------
    follower
        Who shows the job, already before it is started.
    detachable
        Whether the person may choose to let the job run on.
    """

    def __init__(self, follower: Follower, *, detachable: bool = False) -> None:
        self._follower = follower
        self._detachable = detachable
        self._facts: JobFacts | None = None
        self._shown = ""
        self._at = 0.0

    def about(self, facts: JobFacts) -> Steps:
        """Take what is known of the job."""
        self._facts = facts
        return self

    def __call__(self, text: str, *, last: bool = False) -> None:
        """Show a step; one that follows soon may be left out, unless it is the last.

        Raises
        ------
        KeyboardInterrupt
            The person has cancelled the job on its card.
        """
        if not fitting_emitter().takes_text:
            # There is no taking back there: only the kinds of steps, and the end.
            if text.partition(" ")[0] != self._shown.partition(" ")[0]:
                print(f"○ {text}", flush=True)
                self._shown = text
            return
        now = time.monotonic()
        if now - self._at < _PAUSE and not last:
            return
        self._at = now
        if self._facts is not None:
            facts = replace(self._facts, message=text)
            self._follower.open(facts, detachable=self._detachable)


@contextmanager
def starting(follower: Follower, name: str, *, detachable: bool = False) -> Iterator[Steps]:
    """Yield what says the steps until a job is started; should it not be, its card says so.

    Parameters
    ----------
    name
        The job's.
    detachable
        Whether the person may choose to let the job run on.

    Raises
    ------
    KeyboardInterrupt
        The person has stopped it, and reads that nothing was started.
    """
    try:
        yield Steps(follower, detachable=detachable)
    except KeyboardInterrupt as error:
        follower.close(error)
        raise stopped(f"{name} was not started, and nothing of it is left") from None
    except BaseException as error:
        follower.close(error)
        raise
