"""What setup decides, from plain values: wishes, networks, progress, failures."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from nbbatch.backends.aws.setup.gpus import known
from nbbatch.backends.aws.setup.network import chosen, has_way_out
from nbbatch.backends.aws.setup.progress import (
    STACK,
    Event,
    as_change,
    as_event,
    change_line,
    event_line,
    failure,
)
from nbbatch.backends.aws.setup.stack import Stack
from nbbatch.backends.aws.setup.wish import Wish, merged
from nbbatch.errors import (
    AccessDeniedError,
    BackendError,
    ConflictError,
    InvalidRequestError,
    LimitError,
    UsageError,
)


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"name": "My_Stack"}, "--name"),
        ({"name": "x"}, "--name"),
        ({"max_vcpus": 0}, "--max-vcpus"),
        ({"expiry": -1}, "--expiry"),
        ({"disk": 8}, "--disk"),
        ({"vpc": "subnet-1"}, "--vpc"),
        ({"subnets": ("subnet-1", "vpc-1")}, "--subnets"),
        ({"security_groups": ("default",)}, "--security-groups"),
        ({"secrets": ("my-secret",)}, "--secrets"),
    ],
)
def test_wishes_that_cant_be_meant(values: dict[str, Any], flag: str) -> None:
    """The error names the flag and shows a value that it takes."""
    with pytest.raises(UsageError) as caught:
        Wish(**values)

    assert flag in caught.value.what
    assert f"{flag} " in caught.value.hint


def test_wishes_become_parameters() -> None:
    """What was said becomes a parameter; what was not said does not."""
    wish = Wish(vpc="vpc-1", subnets=("subnet-1", "subnet-2"), gpu=False, expiry=0)

    assert wish.parameters() == {
        "VpcId": "vpc-1",
        "SubnetIds": "subnet-1,subnet-2",
        "Gpu": "no",
        "ExpiryDays": "0",
    }


def test_what_was_not_said_stays_as_it_is_in_the_stack() -> None:
    """An update keeps former values; what the stack does not know yet takes its default."""
    found = merged({"A": "1"}, {"A": "", "B": "b", "C": "c"}, {"A": "0", "B": "2"})

    assert found == [
        {"ParameterKey": "A", "ParameterValue": "1"},
        {"ParameterKey": "B", "UsePreviousValue": True},
    ]


def table(route: dict[str, str] | None, *, main: bool = False, subnet: str = "") -> dict[str, Any]:
    link = {"Main": True} if main else {"SubnetId": subnet}
    local = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}
    return {"Associations": [link], "Routes": [local, *([route] if route else [])]}


IGW = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}


@pytest.mark.parametrize(
    ("tables", "public", "out"),
    [
        ([table(IGW, main=True)], True, True),
        ([table(IGW, main=True)], False, False),
        ([table(NAT, main=True)], False, True),
        ([table(None, main=True)], True, False),
        ([table(None, main=True), table(NAT, subnet="s")], False, True),
        ([table(NAT, main=True), table(None, subnet="s")], False, False),
        ([table({**NAT, "State": "blackhole"}, main=True)], False, False),
        ([], True, False),
    ],
)
def test_the_way_to_the_internet(tables: list[Any], public: bool, out: bool) -> None:
    """A subnet's own routes count before the network's; a gateway needs a public address."""
    subnet = {"SubnetId": "s", "MapPublicIpOnLaunch": public}

    assert has_way_out(subnet, tables) is out


def test_subnets_are_chosen_by_their_way_out() -> None:
    """Those that have one; all where none has, or where they were named."""
    subnets = [{"SubnetId": "a"}, {"SubnetId": "b"}]
    mixed = [table(None, main=True), table(NAT, subnet="a")]
    closed = [table(None, main=True)]

    def choose(tables: list[Any], *, named: bool) -> tuple[Any, Any]:
        found = chosen("vpc-1", subnets, tables, default=False, all_of_them=named)
        return found.subnets, found.isolated

    assert choose(mixed, named=False) == (("a",), ())
    assert choose(mixed, named=True) == (("a", "b"), ("b",))
    assert choose(closed, named=False) == (("a", "b"), ("a", "b"))


def test_gpus_are_types_or_families() -> None:
    """Both are told from what the region has, in the order of the wish."""
    assert known(("g6", "g5", "p3.2xlarge"), {"g5.xlarge", "p3.2xlarge"}) == ("g5", "p3.2xlarge")


def event(
    resource: str, status: str, reason: str = "", kind: str = "AWS::Batch::JobQueue"
) -> Event:
    return Event(resource + status, resource, kind, status, reason, 100.0)


def test_events_as_lines() -> None:
    """The time since the first, what, how it is; the reason where it failed by itself."""
    entry = {
        "EventId": "1",
        "LogicalResourceId": "Bucket",
        "ResourceType": "AWS::S3::Bucket",
        "ResourceStatus": "CREATE_COMPLETE",
        "Timestamp": datetime.fromtimestamp(112, timezone.utc),
    }
    failed = event("SpotQueue", "CREATE_FAILED", "because")
    other = event("Ec2Queue", "CREATE_FAILED", "Resource creation cancelled")

    assert event_line(as_event(entry), 100.0).split() == "12 s Bucket create complete".split()
    assert event_line(failed, 100.0).splitlines()[1].strip() == "because"
    assert len(event_line(other, 100.0).splitlines()) == 1


def test_changes_as_lines() -> None:
    """What changes of what, and whether it is made anew."""
    change = {
        "Action": "Modify",
        "LogicalResourceId": "Bucket",
        "ResourceType": "AWS::S3::Bucket",
        "Replacement": "True",
        "Details": [{"Target": {"Attribute": "Properties", "Name": "BucketName"}}],
    }

    line = change_line(as_change({"ResourceChange": change}))
    assert line.split() == "Bucket S3 Bucket changed (BucketName); made anew".split()


@pytest.mark.parametrize(
    ("reason", "kind", "hint"),
    [
        ("User: x is not authorized to perform: iam:CreateRole", AccessDeniedError, "AWS_PROFILE"),
        ("nbbatch-fargate already exists", ConflictError, "--name"),
        ("Cannot exceed quota for RolesPerAccount", LimitError, "Service Quotas"),
        ("Instance family g5 is not supported here", InvalidRequestError, "--no-gpu"),
        ("subnet subnet-1 does not exist", InvalidRequestError, "--subnets"),
        ("something new", BackendError, "nbbatch setup again"),
    ],
)
def test_failures_name_the_culprit(reason: str, kind: type[BackendError], hint: str) -> None:
    """The first failure that is no consequence of another is the one to tell."""
    events = [
        event("nbbatch", "CREATE_IN_PROGRESS", kind=STACK),
        event("JobRole", "CREATE_FAILED", "Resource creation cancelled"),
        event("SpotQueue", "CREATE_FAILED", reason),
        event("nbbatch", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed", STACK),
    ]
    error = failure(events, "nbbatch", "nothing of it is left")

    assert type(error) is kind
    assert error.what == "SpotQueue (AWS::Batch::JobQueue) was not made; nothing of it is left"
    assert error.cause == reason
    assert hint in error.hint


def test_a_failure_without_a_reason_says_where_to_look() -> None:
    """Nothing to tell is told too."""
    error = failure([event("nbbatch", "ROLLBACK_COMPLETE", kind=STACK)], "nbbatch", "all is gone")

    assert "describe-stack-events --stack-name nbbatch" in error.hint


class SlowCloudFormation:
    """Works on a stack while nobody looks: one step in each wait, or none for ``""``."""

    def __init__(self, *steps: str) -> None:
        self._left = list(steps)
        self._told: list[dict[str, Any]] = []
        self.wait()

    def wait(self, _: float = 0) -> None:
        status = self._left.pop(0)
        if status:
            entry = {
                "EventId": str(len(self._told)),
                "LogicalResourceId": "s",
                "ResourceType": STACK,
                "ResourceStatus": status,
                "Timestamp": datetime.fromtimestamp(len(self._told), timezone.utc),
            }
            self._told.insert(0, entry)

    def describe_stacks(self, StackName: str) -> Any:
        return {"Stacks": [{"StackId": StackName, "StackStatus": self._told[0]["ResourceStatus"]}]}

    def delete_stack(self, StackName: str) -> None:
        """Take it in, and begin later."""

    def get_paginator(self, _: str) -> SlowCloudFormation:
        return self

    def paginate(self, **_: str) -> list[Any]:
        middle = len(self._told) // 2
        return [{"StackEvents": self._told[:middle]}, {"StackEvents": self._told[middle:]}]


def test_steps_are_followed_to_the_end_each_once() -> None:
    """What has not begun yet has not ended; then each step is told once, until the stack rests."""
    steps = ("DELETE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_COMPLETE")
    cloud = SlowCloudFormation("CREATE_COMPLETE", "", "", *steps)
    stack = Stack(cloud, "s", cloud.wait)

    assert tuple(e.status for e in stack.delete("id")) == steps


def test_what_is_under_way_is_followed() -> None:
    """Only what comes from now on is told; of what rests, nothing."""
    cloud = SlowCloudFormation("CREATE_IN_PROGRESS", "", "CREATE_COMPLETE")
    stack = Stack(cloud, "s", cloud.wait)

    assert [e.status for e in stack.follow("id")] == ["CREATE_COMPLETE"]
    assert list(stack.follow("id")) == []


def test_what_never_begins_is_given_up() -> None:
    """A request that had no effect does not keep the user waiting for ever."""
    cloud = SlowCloudFormation("DELETE_COMPLETE", *[""] * 100)

    assert list(Stack(cloud, "s", cloud.wait).delete("id")) == []
