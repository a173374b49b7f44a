"""Where the job runs, from servers that stand in for the task's and the instance's metadata."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from nbbatch.wire import keys
from nbbatch.worker.run import metadata
from nbbatch.worker.run.whereabouts import Search
from tests.servers import Answer, Asked, serve

if TYPE_CHECKING:
    from collections.abc import Callable

IN_BATCH = {keys.ENV_BATCH_CE: "environment"}
TASK = {
    "AvailabilityZone": "eu-west-1b",
    "LaunchType": "EC2",
    "PullStartedAt": "2026-01-31T09:45:00.250123456Z",
}
INSTANCE = {
    "instance-type": b"g5.xlarge",
    "instance-id": b"i-0abc",
    "placement/availability-zone": b"eu-west-1b",
    "instance-life-cycle": b"spot\n",
}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the servers answer in time, however busy this machine is."""
    monkeypatch.setattr(metadata, "_PATIENCE", 60.0)


def machine(
    task: Answer | None = None, instance: dict[str, bytes] = INSTANCE, token: Answer | None = None
) -> Callable[[Asked], Answer | None]:
    """Answer as the metadata of a task, and of its instance, do."""

    def reply(asked: Asked) -> Answer | None:
        if asked.path == "/v4/abc/task":
            return task
        if asked.method == "PUT":
            return token
        if asked.headers["X-aws-ec2-metadata-token"] != "token":
            return Answer(401)
        found = instance.get(asked.path.removeprefix("/latest/meta-data/"))
        return Answer(404) if found is None else Answer(body=found)

    return reply


def found(reply: Callable[[Asked], Answer | None], **more: str) -> list[dict[str, Any]]:
    """Ask a machine that answers so, and return the frames without their times."""
    with serve(reply) as server:
        environ = {
            **IN_BATCH,
            "ECS_CONTAINER_METADATA_URI_V4": f"{server.url}/v4/abc",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
            **more,
        }
        search = Search(environ)
        search.run()
    frames = search.take()

    assert search.take() == []
    assert json.loads(json.dumps(frames)) == frames
    return [{k: v for k, v in frame.items() if k != "t"} for frame in frames]


ALL = {
    "zone": "eu-west-1b",
    "platform": "EC2",
    "instance": "g5.xlarge",
    "instance_id": "i-0abc",
    "life": "spot",
    "region": "eu-west-1",
}
TOKEN = Answer(body=b"token")


def test_all_that_can_be_known() -> None:
    """The task and the instance tell it in one frame, with when the image began to come."""
    reply = machine(Answer(body=json.dumps(TASK).encode()), INSTANCE, TOKEN)

    assert found(reply, AWS_REGION="eu-west-1") == [
        {"kind": "place", "given": ALL, "starting_at": 1769852700.250123456}
    ]


@pytest.mark.parametrize(
    ("reply", "more", "given"),
    [
        # A container that does not reach the instance's metadata.
        (
            machine(Answer(body=b'{"LaunchType": "EC2", "AvailabilityZone": "z"}')),
            {},
            {"zone": "z", "platform": "EC2"},
        ),
        (
            machine(Answer(body=json.dumps({"LaunchType": "FARGATE"}).encode()), INSTANCE, TOKEN),
            {"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE", "AWS_DEFAULT_REGION": "us-east-1"},
            {"platform": "FARGATE", "region": "us-east-1"},
        ),
        # A pod has no task.
        (
            machine(None, {"instance-type": b"m5.large"}, TOKEN),
            {keys.ENV_BATCH_KUBERNETES_NODE: "x", "ECS_CONTAINER_METADATA_URI_V4": ""},
            {"instance": "m5.large", "platform": "EKS"},
        ),
        (machine(Answer(body=b"<html>")), {"AWS_REGION": "x"}, {"region": "x"}),
        (machine(Answer(body=b"[1]")), {"AWS_REGION": "x"}, {"region": "x"}),
        (machine(Answer(500), {}, Answer(403)), {"AWS_REGION": "x"}, {"region": "x"}),
        (
            machine(Answer(body=b'{"PullStartedAt": 3, "AvailabilityZone": "z"}')),
            {"AWS_EC2_METADATA_DISABLED": "true"},
            {"zone": "z"},
        ),
    ],
)
def test_what_is_not_told_is_left_out(
    reply: Callable[[Asked], Answer | None], more: dict[str, str], given: dict[str, str]
) -> None:
    """Whatever does not answer, or answers nonsense, harms nobody."""
    assert found(reply, **more) == [{"kind": "place", "given": given}]


def test_nobody_answers() -> None:
    """Then there is nothing to tell."""
    assert found(lambda asked: None) == []


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {keys.ENV_BATCH_CE: keys.LOCAL},
        {keys.ENV_BATCH_CE: keys.LOCAL, "ECS_CONTAINER_METADATA_URI_V4": "http://127.0.0.1:9"},
        {**IN_BATCH, "AWS_EC2_METADATA_DISABLED": "true"},
    ],
)
def test_where_nobody_asks(environ: dict[str, str]) -> None:
    """On this machine there is no thread at all, even if it is itself a task of ECS."""
    before = set(threading.enumerate())
    search = Search(environ)
    search.start()

    assert set(threading.enumerate()) <= before
    assert search.take() == []
