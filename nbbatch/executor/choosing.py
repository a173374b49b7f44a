"""Which worker gets the next calls, and from which some are taken back: pure."""

from __future__ import annotations

from collections.abc import Sequence

from nbbatch.executor.member import Member
from nbbatch.executor.pace import Pace

__all__ = ["robbed", "taker"]


def taker(able: Sequence[Member], most: int, pace: Pace, each: int | None = None) -> Member | None:
    """Return the worker that is to get the next calls; None where there is none.

    Parameters
    ----------
    able
        Those that take calls.
    most
        How many of them there may be.
    each
        How many calls a worker gets at most; None where nothing limits that.
    """
    idle = [member for member in able if not member.waiting]
    if idle or len(able) < most:
        # What has begun first: another one may stand in a queue for long.
        return max(idle, key=lambda member: member.running, default=None)
    # Calls may go to one that is busy, so that it need not wait for them: not where they might.
    room = [member for member in able if each is None or member.given < each]
    brisk = [member for member in room if member.brisk(pace.worth)]
    least = min(brisk, key=lambda member: member.waiting, default=None)
    return least if least and least.waiting < pace.depth else None


def robbed(able: Sequence[Member], most: int) -> Member | None:
    """Return a worker whose last calls another could begin now, where none wait here.

    They were given ahead, and are behind others that take longer than it seemed, or their worker
    stands in a queue.
    """
    ahead = [member for member in able if member.ahead]
    behind = [member for member in ahead if member.waiting > 1]
    if any(member.running and not member.waiting for member in able):
        behind += [member for member in ahead if not member.running]
    elif len(able) >= most:
        return None
    return max(behind, key=lambda member: member.waiting, default=None)
