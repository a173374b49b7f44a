"""What Tab offers after ``%batch``: commands, and the jobs that they can be about."""

from __future__ import annotations

from nbbatch.magics.commands import COMMANDS, OF_ONE_JOB
from nbbatch.session import current_session

__all__ = ["complete"]

#: Jobs that are offered: the newest.
_JOBS = 30


def complete(line: str) -> list[str]:
    """Return what the line up to the cursor can go on with; IPython takes what fits."""
    _, *words = line.split()
    if not words or (len(words) == 1 and not line.endswith(" ")):
        return list(COMMANDS)
    return _jobs() if words[0] in OF_ONE_JOB else []


def _jobs() -> list[str]:
    records = [record for record, _ in zip(current_session().jobs(), range(_JOBS), strict=False)]
    return [*dict.fromkeys(record.name for record in records), *(r.id for r in records)]
