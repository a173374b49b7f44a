"""Arrays of more children than one array job of Batch takes: several array jobs, as one.

The ids of all of them, joined, are the one id that everybody above knows. Each of these *sheets*
but the last is full, so that a child's place among all tells its sheet. A last one with a single
child is no array job, and its id is marked.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from nbbatch.backends.aws.runner import BatchRunner
from nbbatch.errors import BackendError
from nbbatch.facts import State
from nbbatch.wire import keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbbatch.backends.base import Call, Launch
    from nbbatch.facts import Status

__all__ = ["SheetRunner"]

#: https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
MOST_CHILDREN = 10_000
_JOINT, _SINGLE = ",", "*"


class SheetRunner(BatchRunner):
    """Runs jobs on AWS Batch, arrays of any number of children among them."""

    def start(self, launch: Launch) -> str:
        """Submit a job, or each of its sheets: all of them, or none is left to run."""
        ids: list[str] = []
        try:
            for sheet in _sheets(launch):
                ids.append(super().start(sheet))
                if sheet.sheet and sheet.children == 1:
                    ids[-1] += _SINGLE
        except BaseException:
            # What went wrong first is what to tell.
            with contextlib.suppress(BackendError):
                self.stop(ids, "the rest of the array could not be submitted")
            raise
        return _JOINT.join(ids)

    def plan(self, launch: Launch) -> Sequence[Call]:
        """Return the requests that `start` would send, secrets masked; sends none."""
        return [call for sheet in _sheets(launch) for call in super(SheetRunner, self).plan(sheet)]

    def describe(self, ids: Sequence[str]) -> Mapping[str, Status]:
        """Return what Batch knows about jobs; of several sheets, what they are together."""
        wanted = {id_: _split(id_) for id_ in ids}
        said = super().describe([sheet for sheets in wanted.values() for sheet in sheets])
        known = {id_: [said.get(sheet) for sheet in sheets] for id_, sheets in wanted.items()}
        return {id_: _joined(found) for id_, found in known.items() if any(found)}

    def failed(self, id_: str) -> Mapping[int, Status]:
        """Return the children that failed, by their places among all."""
        found: dict[int, Status] = {}
        for number, sheet in enumerate(_split(id_)):
            first = number * MOST_CHILDREN
            single = number and id_.endswith(_SINGLE) and sheet == _split(id_)[-1]
            failed = self._failed_alone(sheet) if single else super().failed(sheet)
            found.update({first + i: status for i, status in failed.items()})
        return found

    def _failed_alone(self, id_: str) -> Mapping[int, Status]:
        said = super().describe([id_])
        status = said.get(id_)
        return {0: status} if status is not None and status.state is State.FAILED else {}

    def explain(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Say why jobs wait; of several sheets, why the first one does that waits."""
        wanted = {id_: _split(id_) for id_ in ids}
        said = super().explain([sheet for sheets in wanted.values() for sheet in sheets])
        # Of a job that does not wait nothing is said, not even that nothing is known.
        return {
            id_: next(filter(None, (said.get(sheet) for sheet in sheets)), "")
            for id_, sheets in wanted.items()
            if said.keys() & sheets
        }

    def stop(self, ids: Sequence[str], reason: str) -> None:
        """Cancel jobs that wait and terminate those that run."""
        super().stop([sheet for id_ in ids for sheet in _split(id_)], reason)

    def log(self, id_: str) -> Iterator[str]:
        """Yield what CloudWatch Logs has of the job's last container."""
        return super().log(_split(id_)[0])


def _sheets(launch: Launch) -> list[Launch]:
    after = tuple(dict.fromkeys(sheet for id_ in launch.depends_on for sheet in _split(id_)))
    launch = replace(launch, depends_on=after)
    if launch.children <= MOST_CHILDREN:
        return [launch]
    return [
        replace(
            launch,
            children=min(MOST_CHILDREN, launch.children - first),
            environment={**launch.environment, keys.ENV_FIRST_CHILD: str(first)},
            sheet=number,
        )
        for number, first in enumerate(range(0, launch.children, MOST_CHILDREN), 1)
    ]


def _split(id_: str) -> list[str]:
    """Return the ids of the sheets; of a child, what it is called in its own."""
    every, _, child = id_.partition(":")
    ids = every.split(_JOINT)
    if len(ids) == 1:
        return [id_]
    if not child.isdecimal():
        return [sheet.removesuffix(_SINGLE) for sheet in ids]
    number, index = divmod(int(child), MOST_CHILDREN)
    sheet = ids[number]
    return [sheet.removesuffix(_SINGLE) if sheet.endswith(_SINGLE) else f"{sheet}:{index}"]


def _joined(found: Sequence[Status | None]) -> Status:
    """Say how sheets are together; one that Batch does not list yet was submitted."""
    known = [status for status in found if status is not None]
    if len(found) == 1:
        return known[0]
    counts: Counter[State] = Counter()
    for status in known:
        # One that has a single child is no array.
        counts.update(status.children or {status.state: 1})
    failed = [status for status in known if status.state is State.FAILED]
    ended = len(known) == len(found) and all(status.state.final for status in known)
    first = failed[0] if failed and ended else known[0]
    started = [status.started_at for status in known if status.started_at is not None]
    stopped = [status.stopped_at for status in known if status.stopped_at is not None]
    return replace(
        first,
        state=_state(known, ended=ended),
        reason=next((status.reason for status in known if status.reason), ""),
        loss=first.loss if ended else None,
        exit_code=first.exit_code if ended else None,
        started_at=min(started, default=None),
        stopped_at=max(stopped, default=None) if ended else None,
        children=dict(counts),
    )


def _state(known: Sequence[Status], *, ended: bool) -> State:
    if not ended:
        return State.PENDING
    failed = any(status.state is State.FAILED for status in known)
    return State.FAILED if failed else State.SUCCEEDED
