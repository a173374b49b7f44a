"""A plan in words: what a job is given of the kernel's libraries, and why."""

from __future__ import annotations

from collections.abc import Container

from nbbatch.libraries.plan import Item, Plan, Way, obtainable

__all__ = ["described", "replaced"]

_UNKNOWN = "assumed: the first job there will tell"


def described(plan: Plan, mode: str, kept: Container[str] = ()) -> str:
    """Return a table of a plan's distributions.

    Parameters
    ----------
    mode
        What the option `env` says.
    kept
        Names of those that the store has already.
    """
    target = plan.target
    known = "" if target.known else f" ({_UNKNOWN})"
    head = f"{target.name}: Python {target.python}, {target.machine}, {target.libc}{known}"
    if target.here:
        return f"{head}\njobs run in the kernel's own environment: nothing is sent"
    if not plan.items:
        return f"{head}\nno library is needed"
    rows = [_row(item, plan, mode, kept) for item in plan.items]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]
    return "\n".join([head, *lines])


def _row(item: Item, plan: Plan, mode: str, kept: Container[str]) -> tuple[str, str, str, str]:
    fate, reason = _fate(item, plan, mode, kept), item.reason
    if item.has and item.has != item.version:
        reason += f"; there it is {item.has}"
        reason += ", and values made by it travel" if fate == "refused" else ""
    elif fate == "refused" and mode == "image":
        reason += "; it is not there"
    return item.name, item.version or "any", fate, reason


def _fate(item: Item, plan: Plan, mode: str, kept: Container[str]) -> str:
    if item.way is Way.THERE:
        return "there"
    if mode != "auto":
        if not plan.target.known:
            return "not sent"
        if mode == "image" and item.unfit:
            return "refused"
        return "differs" if item.has else "missing"
    if not obtainable(item, plan.target):
        return "refused"
    if item.name in kept:
        return "sent before"
    return "sent" if item.way is Way.FILES else "sent, from the index"


def replaced(plan: Plan) -> list[str]:
    """Say what the code has in another version than here, though nobody has named that."""
    return [
        f"{item.name} is {item.here} here and {item.version} in the job: {item.reason}"
        for item in plan.items
        if item.here
    ]
