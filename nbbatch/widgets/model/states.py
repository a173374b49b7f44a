"""States as a sign, a word and a tone: the same everywhere."""

from __future__ import annotations

from nbbatch.facts import JobFacts, State

__all__ = ["LIVE", "look"]

#: By state: word, sign, tone.
LIVE = {
    State.SUBMITTED: ("Submitted", "○", "waiting"),
    State.PENDING: ("Pending", "○", "waiting"),
    State.RUNNABLE: ("Runnable", "○", "waiting"),
    State.STARTING: ("Starting", "◌", "waiting"),
    State.RUNNING: ("Running", "●", "running"),
    State.SUCCEEDED: ("Succeeded", "✓", "ok"),
    State.FAILED: ("Failed", "✗", "bad"),
}
#: By how a job ended.
_ENDED = {
    "ok": ("Succeeded", "✓", "ok"),
    "error": ("Failed", "✗", "bad"),
    "cancelled": ("Cancelled", "⊘", "cancelled"),
    "lost": ("Lost", "✗", "bad"),
    "unstarted": ("Not started", "✗", "bad"),
}


_CACHED = ("From the cache", "✓", "ok")


def look(facts: JobFacts) -> tuple[str, str, str]:
    """Return the word, the sign and the tone of the state that a job is in."""
    if facts.cached and facts.outcome == "ok":
        return _CACHED
    return _ENDED.get(facts.outcome) or LIVE[facts.state]
