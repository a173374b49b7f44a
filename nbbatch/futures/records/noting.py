"""What the registry keeps of a job's end, and the facts that can be had from a record alone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nbbatch.backends.base import Backend
from nbbatch.facts import Child, Children, Gpu, JobFacts, NodeFacts, State, Status, Usage
from nbbatch.futures.following import tracker_of
from nbbatch.futures.records.registry import Record
from nbbatch.futures.returning.ending import Ending
from nbbatch.futures.watching.changes import ended as past
from nbbatch.futures.watching.changes import first_facts
from nbbatch.futures.watching.tracker import Tracker

__all__ = ["Keep", "facts_of", "finished", "noted"]

#: Keeps the result of a job that has succeeded.
Keep = Callable[[Record, Tracker], None]

#: Seconds after which a backend that says nothing of a job has forgotten it.
_FORGOTTEN = 3600.0
_UNKNOWN = "its backend does not know it any more; %batch attach shows what it left"
#: Kept of the facts as they are.
_PLAIN = ("attempt", "given", "started_at", "stopped_at", "url", "log_url")


def finished(tracker: Tracker, ending: Ending) -> JobFacts:
    """Return a job's last facts."""
    state = State.SUCCEEDED if ending.word == "ok" else State.FAILED
    stays, facts = tracker.close(), tracker.facts
    return replace(facts, state=state, outcome=ending.word, message=ending.message, stays=stays)


def noted(record: Record, facts: JobFacts) -> Record:
    """Return the record of a job that has ended, with what will be asked about it later."""
    ended = {name: getattr(facts, name) for name in _PLAIN if getattr(facts, name)}
    ended["given"] = dict(facts.given)
    if facts.peak is not None:
        ended["peak"] = dataclasses.asdict(facts.peak)
    if facts.nodes:
        ended["nodes"] = [[str(node.state), node.message] for node in facts.nodes]
    if facts.children is not None:
        ended["children"] = dataclasses.asdict(facts.children)
    stays = [dataclasses.astuple(stay) for stay in facts.stays]
    end: dict[str, Any] = {
        "outcome": facts.outcome,
        "message": facts.message,
        "stays": stays,
        "ended": ended,
    }
    return replace(record, batch_job_id=facts.batch_job_id or record.batch_job_id, **end)


def facts_of(
    record: Record,
    backend: Backend,
    prices: Mapping[str, Any] | None = None,
    status: Status | None = None,
) -> JobFacts:
    """Return what is known about a job that nobody follows here.

    Parameters
    ----------
    prices
        As in `facts.JobFacts`.
    status
        What its backend has just said, where it lives.
    """
    facts = first_facts(record, backend.name, prices)
    if record.outcome:
        state = State.SUCCEEDED if record.outcome == "ok" else State.FAILED
        end = {"state": state, "outcome": record.outcome, "message": record.message}
        return replace(past(facts), **{**end, **_rest(record.ended)})
    if status is None:
        known = time.time() - record.submitted_at < _FORGOTTEN
        return facts if known else replace(facts, message=_UNKNOWN)
    tracker = tracker_of(record, backend, b"", facts)
    tracker.take_states(status)
    return tracker.facts


def _rest(ended: Mapping[str, Any]) -> dict[str, Any]:
    """Read what was noted about an end; a newer version may have noted it otherwise."""
    try:
        kept = {name: ended[name] for name in _PLAIN if name in ended}
        if "peak" in ended:
            peak = Usage(**ended["peak"])
            kept["peak"] = replace(peak, gpus=tuple(Gpu(**gpu) for gpu in ended["peak"]["gpus"]))
        if "nodes" in ended:
            kept["nodes"] = tuple(NodeFacts(State(s), message=text) for s, text in ended["nodes"])
        if "children" in ended:
            kept["children"] = _children(ended["children"])
    except (KeyError, TypeError, ValueError):
        return {}
    return kept


def _children(ended: Mapping[str, Any]) -> Children:
    counts = {State(name): count for name, count in ended["counts"].items()}
    failed = tuple(Child(**each) for each in ended["failed"])
    return Children(**{**ended, "counts": counts, "failed": failed})
