"""What CloudFormation does, as lines; what went wrong, as an error: pure functions.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from nbbatch.errors import (
    AccessDeniedError,
    BackendError,
    ConflictError,
    InvalidRequestError,
    LimitError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

STACK = "AWS::CloudFormation::Stack"
#: A failure that is only the consequence of another.
_CONSEQUENCE = re.compile(
    r"cancelled|canceled|following resource\(s\) failed|rollback requested", re.IGNORECASE
)


class Event(NamedTuple):
    """One step of CloudFormation.

    Attributes
    ----------
    at
        When, in seconds since 1970.
    """

    id: str
    resource: str
    kind: str
    status: str
    reason: str = ""
    at: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether it tells of a failure of its own."""
        return self.status.endswith("_FAILED") and not _CONSEQUENCE.search(self.reason)

    @property
    def last(self) -> bool:
        """Whether the stack rests with it."""
        return self.kind == STACK and not self.status.endswith("_IN_PROGRESS")


class Change(NamedTuple):
    """What an update does to one resource."""

    action: str
    resource: str
    kind: str
    #: What of it changes.
    parts: tuple[str, ...] = ()
    replaced: bool = False


def as_event(entry: Mapping[str, Any]) -> Event:
    """Read one entry of DescribeStackEvents."""
    return Event(
        entry["EventId"],
        entry["LogicalResourceId"],
        entry["ResourceType"],
        entry["ResourceStatus"],
        entry.get("ResourceStatusReason") or "",
        entry["Timestamp"].timestamp(),
    )


def as_change(entry: Mapping[str, Any]) -> Change:
    """Read one change of DescribeChangeSet."""
    change = entry["ResourceChange"]
    targets = [detail.get("Target", {}) for detail in change.get("Details") or ()]
    parts = dict.fromkeys(target.get("Name") or target.get("Attribute", "") for target in targets)
    return Change(
        change["Action"],
        change["LogicalResourceId"],
        change["ResourceType"],
        tuple(part for part in parts if part),
        change.get("Replacement") in ("True", "Conditional"),
    )


def event_line(event: Event, start: float) -> str:
    """Write an event as a line, its reason below it where it failed.

    Parameters
    ----------
    start
        When the first one was.
    """
    status = event.status.lower().replace("_", " ")
    what = "the stack" if event.kind == STACK else event.resource
    line = f"{max(0, event.at - start):6.0f} s  {what:<24}{status}"
    return f"{line}\n{'':10}{event.reason}" if event.failed and event.reason else line


def change_line(change: Change) -> str:
    """Write a change as a line."""
    verb = {"Add": "made", "Modify": "changed", "Remove": "removed"}.get(
        change.action, change.action.lower()
    )
    parts = f" ({', '.join(change.parts)})" if change.parts and change.action == "Modify" else ""
    new = "; made anew" if change.replaced else ""
    return f"  {change.resource:<23}{short(change.kind):<30}{verb}{parts}{new}"


def short(kind: str) -> str:
    """Return a type's name as a person says it: ``Batch ComputeEnvironment``."""
    return kind.removeprefix("AWS::").replace("::", " ")


_AGAIN = "then run nbbatch setup again"
#: What reasons mean; the first that matches.
_MEANINGS: tuple[tuple[str, type[BackendError], str], ...] = (
    (
        r"not authori[sz]ed|access ?denied|unauthori[sz]ed|permission",
        AccessDeniedError,
        "run it with credentials that may do that (AWS_PROFILE=...), or ask who runs the account",
    ),
    (
        r"already exists|already owned",
        ConflictError,
        "remove it, or take another name: nbbatch setup --name NAME",
    ),
    (
        r"limit|quota|exceeded",
        LimitError,
        f"ask for a higher quota (AWS console, Service Quotas), {_AGAIN}",
    ),
    (
        r"instance (type|family).*(not|n't)|(not|n't).*instance (type|family)",
        InvalidRequestError,
        "nbbatch setup --gpu-types of that region, or --no-gpu",
    ),
    (
        r"subnet|security ?group|\bvpc\b",
        InvalidRequestError,
        "nbbatch setup --vpc, --subnets and --security-groups of one network",
    ),
    (
        r"service.linked role|assume role|is not valid",
        InvalidRequestError,
        "wait a minute, " + _AGAIN,
    ),
)


def failure(events: Sequence[Event], name: str, after: str) -> BackendError:
    """Build the error of an operation that failed, from its events.

    Parameters
    ----------
    name
        Of the stack.
    after
        How things are now.
    """
    causes = [event for event in events if event.failed and event.kind != STACK]
    culprit = next(iter(causes), None) or next((e for e in events if e.failed), None)
    if culprit is None:
        hint = f"aws cloudformation describe-stack-events --stack-name {name}"
        return BackendError(f"the stack {name} failed; {after}", "no reason was given", hint)
    kind, hint = _meaning(culprit.reason)
    what = f"{culprit.resource} ({culprit.kind})"
    verb = culprit.status.split("_", 1)[0].lower()
    done = {"create": "made", "update": "changed", "delete": "deleted"}.get(verb, verb)
    return kind(f"{what} was not {done}; {after}", culprit.reason, hint)


def _meaning(reason: str) -> tuple[type[BackendError], str]:
    for pattern, kind, hint in _MEANINGS:
        if re.search(pattern, reason, re.IGNORECASE):
            return kind, hint
    return BackendError, f"correct that, {_AGAIN}"
