"""The notice of a Spot instance, from a server that stands in for the instance's metadata."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from nbbatch.inside import current
from nbbatch.wire import keys
from nbbatch.worker.run import metadata as asking
from nbbatch.worker.run import spot
from tests.servers import Answer, Asked, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TIME = "2026-01-31T09:45:00Z"
ACTION = json.dumps({"action": "terminate", "time": TIME}).encode()
IN_BATCH = {keys.ENV_BATCH_CE: "environment"}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the servers answer in time, however busy this machine is."""
    monkeypatch.setattr(asking, "_PATIENCE", 60.0)


def metadata(life: str, actions: list[Answer]) -> Callable[[Asked], Answer]:
    """Answer as an instance of that life cycle does; the last action is repeated."""

    def reply(asked: Asked) -> Answer:
        if asked.method == "PUT":
            return Answer(body=b"token")
        if asked.headers["X-aws-ec2-metadata-token"] != "token":
            return Answer(401)
        if asked.path.endswith("instance-life-cycle"):
            return Answer(body=life.encode())
        return actions.pop(0) if len(actions) > 1 else actions[0]

    return reply


def test_the_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once EC2 gives the time, it is in the file, and the job's code can read it."""
    monkeypatch.setenv(keys.ENV_TEMPDIR, str(tmp_path))
    notice = str(tmp_path / "spot_termination_notice")
    monkeypatch.setenv("NBBATCH_CURRENT", json.dumps({"spot_notice": notice}))
    assert current.reclaimed_at is None
    actions = [Answer(404), Answer(401), Answer(500), Answer(body=ACTION)]
    with serve(metadata("spot", actions)) as server:
        environ = {keys.ENV_TEMPDIR: str(tmp_path), "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url}
        watch = spot.Watch({**IN_BATCH, **environ}, poll=0.001)
        watch.run()

    assert watch.time == TIME
    with open(current.spot_termination_notice) as file:  # noqa: PTH123 as a user would
        assert file.read() == TIME
    assert current.reclaimed_at == datetime(2026, 1, 31, 9, 45, tzinfo=timezone.utc)
    assert spot.noticed({**IN_BATCH, **environ})


def test_an_instance_that_is_not_spot_is_asked_once(tmp_path: Path) -> None:
    """Where no notice can come, nobody goes on asking."""
    with serve(metadata("on-demand", [Answer(404)])) as server:
        environ = {**IN_BATCH, "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url}
        spot.Watch(environ, poll=0.001).run()

    assert [asked.method for asked in server.asked] == ["PUT", "GET"]


def test_no_metadata() -> None:
    """A container that does not reach the metadata gives up."""
    with serve(lambda asked: None) as server:
        environ = {**IN_BATCH, "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url}
        watch = spot.Watch(environ, poll=0.001)
        watch.run()

    assert watch.time == ""
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "environ",
    [
        {keys.ENV_BATCH_CE: keys.LOCAL},
        {},
        {**IN_BATCH, "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"},
        {**IN_BATCH, "AWS_EC2_METADATA_DISABLED": "true"},
    ],
)
def test_where_nobody_asks(environ: dict[str, str]) -> None:
    """On this machine and on Fargate there is no thread at all."""
    before = set(threading.enumerate())
    spot.Watch(environ, poll=0.001).start()

    assert set(threading.enumerate()) <= before
    assert not spot.noticed(environ)


def test_sigterm_is_the_notice_on_fargate(tmp_path: Path) -> None:
    """There the file is written when the signal comes; elsewhere a signal means nothing."""
    file = tmp_path / "spot_termination_notice"
    spot.note_fargate({**IN_BATCH, keys.ENV_TEMPDIR: str(tmp_path)})
    assert not file.exists()
    spot.note_fargate({"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE", keys.ENV_TEMPDIR: str(tmp_path)})

    assert datetime.fromisoformat(file.read_text().replace("Z", "+00:00")) > datetime.now(
        timezone.utc
    )
