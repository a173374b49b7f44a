"""The stack: proposed as a change set, executed, followed, deleted."""

from __future__ import annotations

import contextlib
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from nbbatch.backends.aws.errors import VENDOR, message_of, translate, translated
from nbbatch.backends.aws.setup.progress import Change, Event, as_change, as_event
from nbbatch.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: Marks our stacks, and through CloudFormation all that they make.
TAG = "nbbatch"
#: Seconds between two looks at what CloudFormation does.
POLL = 2.0
#: Looks after which something must have begun.
_BEGINS = 30
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Found:
    """A stack as it is.

    Attributes
    ----------
    id
        Its ARN; it finds the stack even when it is deleted.
    ours
        Whether `nbbatch setup` made it.
    """

    id: str
    status: str
    ours: bool
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether something is being done to it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def usable(self) -> bool:
        """Whether all of it is there, though the last update may have failed."""
        return self.status in _USABLE

    @property
    def empty(self) -> bool:
        """Whether nothing was made yet, or all of it was taken back."""
        return self.status in ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_COMPLETE")


_USABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})


class Made(NamedTuple):
    """A resource of a stack, and what it is called in the account."""

    name: str
    kind: str
    id: str


@dataclass(frozen=True)
class Proposal:
    """A change set that is ready to be executed."""

    id: str
    stack_id: str
    new: bool
    changes: Sequence[Change]


class Stack:
    """One stack of CloudFormation.

    Parameters
    ----------
    client
        boto3's client.
    sleep
        Waits between two looks.
    """

    def __init__(self, client: Any, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self.name = name
        self._sleep = sleep

    def look(self, stack_id: str = "") -> Found | None:
        """Return the stack as it is, None where there is none.

        Parameters
        ----------
        stack_id
            Finds it though it is deleted.
        """
        what = f"the stack {self.name} can't be looked up"
        try:
            with translated(what):
                answer = self._client.describe_stacks(StackName=stack_id or self.name)
        except BackendError as error:
            if error.__cause__ and "does not exist" in message_of(error.__cause__):
                return None
            raise
        return _found(answer["Stacks"][0])

    def propose(
        self, template: str, parameters: Sequence[Mapping[str, object]], *, new: bool
    ) -> Proposal | None:
        """Have CloudFormation work out what would change; None for nothing.

        Raises
        ------
        BackendError
            The template or a parameter is refused; nothing is left of the proposal.
        """
        what = f"the stack {self.name} can't be " + ("made" if new else "changed")
        with translated(what):
            answer = self._client.create_change_set(
                StackName=self.name,
                ChangeSetName=f"nbbatch-{time.time_ns()}",
                ChangeSetType="CREATE" if new else "UPDATE",
                TemplateBody=template,
                Parameters=parameters,
                Capabilities=["CAPABILITY_IAM"],
                Tags=[{"Key": TAG, "Value": self.name}],
            )
        proposal = Proposal(answer["Id"], answer["StackId"], new, ())
        try:
            state = self._worked_out(answer["Id"])
            if state["Status"] != "FAILED":
                changes = [as_change(entry) for entry in self._changes(answer["Id"])]
                return Proposal(answer["Id"], answer["StackId"], new, changes)
            reason = state.get("StatusReason", "no reason was given")
        except BaseException:
            self.withdraw(proposal)
            raise
        self.withdraw(proposal)
        if any(text in reason for text in _NO_CHANGES):
            return None
        raise BackendError(what, reason, "correct that, then run nbbatch setup again")

    def withdraw(self, proposal: Proposal) -> None:
        """Forget a proposal, and the stack that was only proposed; nothing else has come of it."""
        # It costs nothing and expires: where it can't be removed, what went wrong first matters.
        with contextlib.suppress(*VENDOR):
            self._client.delete_change_set(ChangeSetName=proposal.id, StackName=proposal.stack_id)
            if proposal.new:
                self._client.delete_stack(StackName=proposal.stack_id)

    def execute(self, proposal: Proposal) -> Iterator[Event]:
        """Apply a proposal; yield each step until the stack rests again.

        Raises
        ------
        BackendError
            It was not accepted; the proposal is withdrawn.
        """
        before = self._seen(proposal.stack_id)
        try:
            self._client.execute_change_set(ChangeSetName=proposal.id, StackName=proposal.stack_id)
        except VENDOR as error:
            self.withdraw(proposal)
            done = "made" if proposal.new else "changed"
            raise translate(error, f"the stack {self.name} was not {done}") from error
        return self.follow(proposal.stack_id, before)

    def delete(self, stack_id: str) -> Iterator[Event]:
        """Delete the stack; yield each step until it is gone, or can't be."""
        before = self._seen(stack_id)
        with translated(f"the stack {self.name} was not deleted"):
            self._client.delete_stack(StackName=stack_id)
        return self.follow(stack_id, before)

    def follow(self, stack_id: str, seen: set[str] | None = None) -> Iterator[Event]:
        """Yield each step, the first one first, until the stack rests.

        Parameters
        ----------
        seen
            The steps before the one that was just asked for, which may not have begun yet;
            None for what is under way.
        """
        begun, seen = seen is None, self._seen(stack_id) if seen is None else seen
        for looks in itertools.count():
            # The state before the steps: of what rests, all steps are then known.
            begun = begun or looks >= _BEGINS
            state = self.look(stack_id) if begun else None
            new = [event for event in self._events(stack_id) if event.id not in seen]
            seen.update(event.id for event in new)
            yield from reversed(new)
            if (new and new[0].last) or (begun and not (state and state.busy)):
                return
            begun = begun or bool(new)
            self._sleep(POLL)

    def resources(self, stack_id: str) -> list[Made]:
        """Return what the stack holds, as it was made."""
        with translated(f"the stack {self.name} can't be looked up"):
            pages = self._client.get_paginator("list_stack_resources")
            found = [
                entry
                for page in pages.paginate(StackName=stack_id)
                for entry in page["StackResourceSummaries"]
            ]
        return [
            Made(e["LogicalResourceId"], e["ResourceType"], e.get("PhysicalResourceId", ""))
            for e in found
            if e["ResourceStatus"] != "DELETE_COMPLETE"
        ]

    def _worked_out(self, change_set: str) -> Mapping[str, Any]:
        while True:
            with translated(f"the changes of the stack {self.name} can't be read"):
                state: Mapping[str, Any] = self._client.describe_change_set(
                    ChangeSetName=change_set
                )
            if state["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                return state
            self._sleep(POLL / 2)

    def _changes(self, change_set: str) -> Iterator[Mapping[str, Any]]:
        with translated(f"the changes of the stack {self.name} can't be read"):
            pages = self._client.get_paginator("describe_change_set")
            for page in pages.paginate(ChangeSetName=change_set):
                yield from page["Changes"]

    def _seen(self, stack_id: str) -> set[str]:
        return {event.id for event in self._events(stack_id)}

    def _events(self, stack_id: str) -> list[Event]:
        """Return all steps that CloudFormation remembers, the last one first."""
        with translated(f"the progress of the stack {self.name} can't be read"):
            pages = self._client.get_paginator("describe_stack_events")
            return [
                as_event(entry)
                for page in pages.paginate(StackName=stack_id)
                for entry in page["StackEvents"]
            ]


def _found(entry: Mapping[str, Any]) -> Found:
    tags = {tag["Key"] for tag in entry.get("Tags", ())}
    return Found(
        entry["StackId"],
        entry["StackStatus"],
        TAG in tags,
        {p["ParameterKey"]: p.get("ParameterValue", "") for p in entry.get("Parameters", ())},
        {o["OutputKey"]: o["OutputValue"] for o in entry.get("Outputs", ())},
    )
