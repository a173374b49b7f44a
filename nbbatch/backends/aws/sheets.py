"""Arrays of more children than one array job of Batch takes: several array jobs, as one.

The ids of all of them, joined, are the one id that everybody above knows. Each of these *sheets*
but the last is full, so that a child's place among all tells its sheet. A last one with a single
child is no array job, and its id is marked. One that was never submitted, for whoever was at it
died over it, has no id: how many children it would have stands in its place, marked too.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from nbbatch.backends.aws.runner import BatchRunner
from nbbatch.backends.base import Found, on_sheet
from nbbatch.errors import BackendError, UncertainError
from nbbatch.facts import Loss, State, Status
from nbbatch.wire import keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbbatch.backends.base import Call, Launch, Sought

__all__ = ["SheetRunner"]

#: https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
MOST_CHILDREN = 10_000
_JOINT, _SINGLE, _NONE = ",", "*", "-"
#: Seconds after which nobody is about to submit the rest: the tries of one call, and many times.
_SUBMITTING = 120.0
_NEVER = Status(
    State.FAILED,
    reason="it was never submitted: whoever was about to was interrupted",
    loss=Loss.UNKNOWN,
)


class SheetRunner(BatchRunner):
    """Runs jobs on AWS Batch, arrays of any number of children among them."""

    def start(self, launch: Launch) -> str:
        """Submit a job, or each of its sheets: all of them, or none is left to run.

        Where nobody can tell whether one of them was submitted, the others are, and `find` finds
        out.
        """
        ids: list[str] = []
        unsure: UncertainError | None = None
        try:
            for sheet in _sheets(launch):
                try:
                    ids.append(_marked(super().start(sheet), sheet.sheet, sheet.children))
                except UncertainError as error:
                    unsure = unsure or error
        except BaseException:
            # What went wrong first is what to tell.
            with contextlib.suppress(BackendError):
                self.stop(ids, "the rest of the array could not be submitted")
            raise
        if unsure is not None:
            raise unsure
        return _JOINT.join(ids)

    def find(self, sought: Sought) -> Found | None:
        """Look for a job, or for all of its sheets, by their names.

        Of some that are missing it is only certain that they were never submitted once nothing
        has come for a while.
        """
        if sought.children <= MOST_CHILDREN:
            return super().find(sought)
        sizes = _sizes(sought.children)
        listed = [
            self._listed(sought._replace(unique=on_sheet(sought.unique, number)))
            for number, _ in enumerate(sizes, 1)
        ]
        there = [each for each in listed if each is not None]
        if not there:
            return None
        newest = max(each.created_at for each in there)
        settled = len(there) == len(sizes) or time.time() - newest > _SUBMITTING
        ids = [
            f"{_NONE}{size if settled else 0}" if each is None else _marked(each.id, number, size)
            for number, (each, size) in enumerate(zip(listed, sizes, strict=True), 1)
        ]
        return Found(_JOINT.join(ids), settled)

    def plan(self, launch: Launch) -> Sequence[Call]:
        """Return the requests that `start` would send, secrets masked; sends none."""
        return [call for sheet in _sheets(launch) for call in super(SheetRunner, self).plan(sheet)]

    def describe(self, ids: Sequence[str]) -> Mapping[str, Status]:
        """Return what Batch knows about jobs; of several sheets, what they are together."""
        wanted = {id_: _split(id_) for id_ in ids}
        said = super().describe(_submitted(wanted))
        known = {id_: [_said(sheet, said) for sheet in sheets] for id_, sheets in wanted.items()}
        return {id_: _joined(found) for id_, found in known.items() if said.keys() & wanted[id_]}

    def failed(self, id_: str) -> Mapping[int, Status]:
        """Return the children that failed, by their places among all."""
        found: dict[int, Status] = {}
        for number, sheet in enumerate(_split(id_)):
            first = number * MOST_CHILDREN
            failed = self._failed_in(sheet, single=number > 0 and _is_single(id_, number))
            found.update({first + i: status for i, status in failed.items()})
        return found

    def _failed_in(self, id_: str, *, single: bool) -> Mapping[int, Status]:
        if id_.startswith(_NONE):
            return dict.fromkeys(range(_missing(id_)), _NEVER)
        if not single:
            return super().failed(id_)
        said = super().describe([id_])
        status = said.get(id_)
        return {0: status} if status is not None and status.state is State.FAILED else {}

    def explain(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Say why jobs wait; of several sheets, why the first one does that waits."""
        wanted = {id_: _split(id_) for id_ in ids}
        said = super().explain(_submitted(wanted))
        # Of a job that does not wait nothing is said, not even that nothing is known.
        return {
            id_: next(filter(None, (said.get(sheet) for sheet in sheets)), "")
            for id_, sheets in wanted.items()
            if said.keys() & sheets
        }

    def stop(self, ids: Sequence[str], reason: str) -> None:
        """Cancel jobs that wait and terminate those that run."""
        super().stop(_submitted({id_: _split(id_) for id_ in ids}), reason)

    def log(self, id_: str) -> Iterator[str]:
        """Yield what CloudWatch Logs has of the job's last container."""
        return super().log(_submitted({id_: _split(id_)})[0])


def _sheets(launch: Launch) -> list[Launch]:
    after = tuple(dict.fromkeys(_submitted({id_: _split(id_) for id_ in launch.depends_on})))
    launch = replace(launch, depends_on=after)
    if launch.children <= MOST_CHILDREN:
        return [launch]
    return [
        replace(
            launch,
            children=size,
            environment={**launch.environment, keys.ENV_FIRST_CHILD: str(number * MOST_CHILDREN)},
            sheet=number + 1,
        )
        for number, size in enumerate(_sizes(launch.children))
    ]


def _sizes(children: int) -> list[int]:
    """Return how many children each sheet has."""
    return [min(MOST_CHILDREN, children - first) for first in range(0, children, MOST_CHILDREN)]


def _marked(id_: str, sheet: int, children: int) -> str:
    """Return a sheet's id as the joint one has it."""
    return id_ + _SINGLE if sheet and children == 1 else id_


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


def _is_single(id_: str, number: int) -> bool:
    return id_.endswith(_SINGLE) and number == id_.count(_JOINT)


def _submitted(wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the ids of all sheets that Batch knows."""
    return [id_ for sheets in wanted.values() for id_ in sheets if not id_.startswith(_NONE)]


def _missing(id_: str) -> int:
    """Return how many children a sheet would have that was never submitted."""
    return int(id_.removeprefix(_NONE).partition(":")[0])


def _said(id_: str, said: Mapping[str, Status]) -> Status | None:
    """Return what is known about a sheet; None where it may still be submitted."""
    if not id_.startswith(_NONE):
        return said.get(id_)
    missing = _missing(id_)
    return replace(_NEVER, children={State.FAILED: missing}) if missing else None


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
