"""What a job costs in calls and bytes, counted at the wire of boto3's clients."""

from __future__ import annotations

import dataclasses
import os
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, secrets
from nbbatch.backends.base import Target
from nbbatch.libraries import Librarian
from nbbatch.libraries.targets import kernel_target
from nbbatch.session import current_session
from nbbatch.worker.boot.bundle import bundle

sys.path.insert(0, str(Path(__file__).parent / "backends"))

import aws_rig  # noqa: E402 found beside the backends' own tests

from tests.libraries.shop import Made, install  # noqa: E402

#: Pauses of the watcher between two reads of a job's story on S3, and between two questions.
READ, ASK = 0.4, 2.0
#: Far more than an input without its large data, far less than that data.
LITTLE = 16 << 10


class Wire:
    """Every request of this process's session to AWS: operation, bytes of its body, key."""

    def __init__(self, rig: aws_rig.Rig) -> None:
        self.rig = rig
        self.sent: list[tuple[str, int, str]] = []
        clients = current_session().backend.store._clients  # type: ignore[attr-defined]
        manager = clients.secrets_manager()
        for client in (clients.s3, clients.logs, clients.batch, clients.batch_once, manager):
            client.meta.events.register("before-send", self._note)

    def _note(self, request: Any, event_name: str, **_: Any) -> None:
        size = int(request.headers.get("Content-Length") or 0)
        self.sent.append((event_name.rpartition(".")[2], size, request.url))

    def calls(self) -> Counter[str]:
        """Count the requests by operation."""
        return Counter(name for name, _, _ in self.sent)

    def uploaded(self) -> int:
        """Return the bytes that were sent to the store."""
        return sum(size for name, size, _ in self.sent if name in ("PutObject", "UploadPart"))

    def reads(self, part: str) -> int:
        """Count the reads of objects whose key holds `part`."""
        return sum(name == "GetObject" and part in url for name, _, url in self.sent)


def new_session(rig: aws_rig.Rig) -> Wire:
    """Begin a session, as another kernel of the same user would."""
    nbbatch.configure(
        backend="aws", s3_root=f"s3://{rig.bucket}/root", queue="queue", iam_role=aws_rig.ROLE
    )
    return Wire(rig)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    """Give an AWS account of the test's own to this process, and count what is sent to it."""
    with aws_rig.aws_rig(tmp_path) as rig:
        os.environ["NBBATCH_HOME"] = str(tmp_path / "home")
        yield new_session(rig)


def _functions() -> tuple[Any, Any, Any]:
    # Inside a function, so that they travel by value, without this module.
    @batch
    def length(data: Any) -> int:
        return len(data)

    @batch
    def longer(data: Any) -> Any:
        import pickle

        return pickle.PickleBuffer(bytearray(data) + b"more")

    @batch
    def quiet(seconds: float) -> float:
        import time

        time.sleep(seconds)
        return seconds

    return length, longer, quiet


length, longer, quiet = _functions()


def buffer(size: int) -> Any:
    """Make large data as arrays have it: a buffer that travels apart from its object."""
    return pickle.PickleBuffer(bytearray(os.urandom(size)))


def submit_calls(wire: Wire) -> Counter[str]:
    """Return what one submit costs by itself: what follows the job comes from other calls."""
    wire.rig.batch.place.capacity.clear()
    wire.sent.clear()
    job = length.submit(b"small")
    sent = wire.calls()
    wire.rig.batch.place.capacity.set()
    assert job.result(60) == len(b"small")
    del sent["GetObject"], sent["DescribeJobs"]
    return sent


def test_first_submit_ever(wire: Wire) -> None:
    """The first submit of an account's first session costs at most six calls."""
    assert submit_calls(wire) == {
        "DescribeJobQueues": 1,
        "DescribeComputeEnvironments": 1,
        "PutObject": 3,
        "RegisterJobDefinition": 1,
        "SubmitJob": 1,
    }


def test_first_submit_of_a_session(wire: Wire) -> None:
    """A new kernel knows queue and definition, and makes sure of the worker."""
    submit_calls(wire)

    assert submit_calls(new_session(wire.rig)) == {"PutObject": 3, "SubmitJob": 1}


def test_warm_submit(wire: Wire) -> None:
    """From the second submit on a job costs a write, another beside it, and one call."""
    submit_calls(wire)

    assert submit_calls(wire) == {"PutObject": 2, "SubmitJob": 1}
    assert submit_calls(wire) == {"PutObject": 2, "SubmitJob": 1}


def test_a_warm_submit_with_secrets(wire: Wire, tmp_path: Path) -> None:
    """Where they are is asked once; the job has them, and no request and no object does."""
    manager = aws_rig.service("secretsmanager")
    content = '{"user": "me-in-the-vault", "password": "pa55-in-the-vault"}'
    arn = manager.create_secret(Name="wire/db", SecretString=content)["ARN"]
    wire.rig.batch.secrets = {f"{arn}:password::": "pa55-in-the-vault", arn: content}

    @secrets(sources=["PW=wire/db#password", "wire/db"], role=aws_rig.EXECUTION_ROLE)
    @batch
    def look() -> list[Any]:
        import os

        # Turned around, so that what comes back is not what must be nowhere.
        return [os.environ[name][::-1] for name in ("PW", "password", "user")]

    wanted = [text[::-1] for text in ("pa55-in-the-vault", "pa55-in-the-vault", "me-in-the-vault")]
    assert look.submit().result(60) == wanted
    wire.sent.clear()
    job = look.submit()
    sent = wire.calls()
    assert job.result(60) == wanted
    assert (sent["PutObject"], sent["SubmitJob"]) == (2, 1)
    assert not {"RegisterJobDefinition", "DescribeSecret"} & set(sent)
    (definition,) = wire.rig.batch.definitions.values()
    assert definition[0]["containerProperties"]["executionRoleArn"] == aws_rig.EXECUTION_ROLE
    assert b"in-the-vault" not in repr(wire.rig.batch.calls).encode()
    store = current_session().backend.store
    assert not [k for k, _, _ in store.list("") if b"in-the-vault" in (store.get(k) or b"")]
    assert "in-the-vault" not in job.logs() + repr(job.facts)


def test_options_cost_nothing(wire: Wire) -> None:
    """Secrets, tags, volumes and whatever else: a warm submit is one write and one call."""
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
    wire.rig.batch.secrets = {arn: "pa55"}
    options = {
        "execution_role": aws_rig.EXECUTION_ROLE,
        "secrets": {"DB": arn},
        "tags": {"team": "ml"},
        "environment": {"MODE": "fast"},
        "use_tmpfs": True,
        "host_volumes": "/data",
        "ulimits": "nofile=4096",
        "log_options": "awslogs-group:/my/jobs",
        "retries": 2,
        "retry_on": "spot",
        "timeout": 600,
        "parameters": {"a": "1"},
        "propagate_tags": True,
        "extra": {"containerProperties": {"enableExecuteCommand": True}},
    }
    rich = length.options(**options)
    wire.rig.batch.place.capacity.clear()
    costs = []
    for _ in range(2):
        wire.sent.clear()
        job = rich.submit(b"small")
        costs.append(wire.calls())
        del costs[-1]["GetObject"], costs[-1]["DescribeJobs"]
        job.cancel()

    assert costs[1] == {"PutObject": 2, "SubmitJob": 1}


def test_an_unchanged_large_input_is_sent_once(wire: Wire) -> None:
    """The second job with the same data sends none of it, and asks for none."""
    data = buffer(3 << 20)
    assert length.submit(data).result(60) == 3 << 20
    first = wire.uploaded()
    wire.sent.clear()
    job = length.submit(data)
    sent = wire.calls()
    assert job.result(60) == 3 << 20

    assert first > 3 << 20
    assert wire.uploaded() < LITTLE
    assert (sent["PutObject"], sent["HeadObject"]) == (2, 0)


def test_changed_data_is_sent_again(wire: Wire) -> None:
    """One other byte makes it other data."""
    data = buffer(2 << 20)
    length.submit(data).result(60)
    wire.sent.clear()
    data.raw()[5] ^= 1
    length.submit(data).result(60)

    assert wire.uploaded() > 2 << 20


def test_another_session_sends_nothing_again(wire: Wire) -> None:
    """A new kernel asks whether the data is there, and finds it."""
    data = buffer(2 << 20)
    length.submit(data).result(60)
    again = new_session(wire.rig)
    length.submit(data).result(60)

    assert again.calls()["HeadObject"] == 1
    assert again.uploaded() - len(bundle()[0]) < LITTLE


def test_what_came_back_goes_in_without_being_sent(wire: Wire) -> None:
    """A job's result is in the store already."""
    result = longer.submit(buffer(2 << 20)).result(60)
    wire.sent.clear()
    job = length.submit(pickle.PickleBuffer(result))
    sent = wire.calls()

    assert job.result(60) == len(result) == (2 << 20) + 4
    assert (sent["PutObject"], sent["HeadObject"]) == (2, 0)
    assert wire.uploaded() < LITTLE


def test_states_of_many_jobs_take_a_call_for_each_hundred(wire: Wire) -> None:
    """205 jobs are three calls."""
    ids = [f"no-such-job-{number}" for number in range(205)]
    wire.sent.clear()
    current_session().backend.runner.describe(ids)

    assert wire.calls() == {"DescribeJobs": 3}


def test_following_a_quiet_job(wire: Wire) -> None:
    """A job that says nothing is read a few times a second, and asked about less and less."""
    start = time.monotonic()
    job = quiet.submit(3)
    assert job.result(60) == 3
    took = time.monotonic() - start
    wire_reads, asked = wire.reads("/frames/"), wire.calls()["DescribeJobs"]
    story = sum(1 for _ in current_session().backend.store.list(f"jobs/{job.id}/frames/"))

    assert wire_reads <= took / READ + 2 * story + 3
    assert asked <= took / ASK + 3
    assert wire.reads("/outcome/") == 1


def test_a_monitor_of_many_jobs(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """205 live jobs of another kernel: three calls a round, at the watcher's pace, no reads."""
    # Batch does not know most of them: however long this takes, they don't count as gone.
    monkeypatch.setattr("nbbatch.futures.records.roll._MISSING", 3600.0)
    wire.rig.batch.place.capacity.clear()
    first = length.submit(b"small")
    registry = current_session()._registry
    record = registry.get(first.id)
    assert record is not None
    # The same job of Batch's many times would be one question: ids that it does not know are not.
    for number in range(204):
        id_ = f"20200101-000000-{number:08}"
        registry.write(dataclasses.replace(record, id=id_, batch_job_id=f"gone-{number:03}"))
    roll = new_session(wire.rig)
    again, live = roll, current_session().roll()
    live.facts()
    again.sent.clear()
    start = time.monotonic()
    live.open()
    while again.calls()["DescribeJobs"] < 6:
        assert time.monotonic() - start < 120
        live.facts()
        time.sleep(0.05)
    live.close()
    took = time.monotonic() - start
    first.cancel()

    assert again.calls()["DescribeJobs"] <= 3 * (took / ASK + 2)
    assert again.reads("/frames/") == again.reads("/outcome/") == 0


def test_a_warm_submit_with_libraries(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library is sent once; from then on it costs no call at all."""
    site = tmp_path / "site-packages"
    install(Made("wirelib", "1.0", {"wirelib/__init__.py": "value = 7\n"}), site)
    monkeypatch.syspath_prepend(str(site))

    @batch
    def value() -> int:
        import wirelib

        return int(wirelib.value)

    costs = []
    for _ in range(3):
        wire.sent.clear()
        job = value.submit()
        assert job.result(60) == 7
        # Its bytecode, made in the background for later jobs, counts as well.
        current_session().supply.settle()
        costs.append(wire.calls())
        del costs[-1]["GetObject"], costs[-1]["DescribeJobs"]

    assert costs[0]["PutObject"] == 5
    assert costs[1] == costs[2] == {"PutObject": 2, "SubmitJob": 1}


def test_another_machine_sends_no_library_again(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks what is there of the large ones, instead of sending all for S3 to refuse it."""
    site = tmp_path / "site-packages"
    data = os.urandom(1 << 20).hex()
    files = {"biglib/__init__.py": "value = 7\n", "biglib/data.txt": data}
    install(Made("biglib", "1.0", files), site)
    monkeypatch.syspath_prepend(str(site))

    def send(machine: str) -> Counter[str]:
        librarian = Librarian(tmp_path / machine, current_session().backend.store)
        here = kernel_target()
        target = Target("image", here.python, here.machine, here.libc)
        wire.sent.clear()
        librarian.send(librarian.plan({"biglib": ""}, target))
        librarian.settle()
        return wire.calls() + Counter(bytes=wire.uploaded())

    first, second = send("one"), send("two")

    assert first["bytes"] > 1 << 20
    assert first["HeadObject"] == second["HeadObject"] == 1
    assert second["bytes"] < LITTLE


def _squares() -> Any:
    @batch
    def square(x: int, data: Any) -> int:
        if x == 3:
            raise ValueError("three")
        return x * x + len(data)

    return square


square = _squares()


def test_an_array(wire: Wire) -> None:
    """Nine items: one write for all of them, one job, one read for each result that is taken."""
    length.submit(b"small").result(60)
    wire.sent.clear()
    wire.rig.batch.place.capacity.clear()
    start = time.monotonic()
    job = square.map(range(9), data=buffer(2 << 20))
    sent = wire.calls()
    wire.rig.batch.place.capacity.set()
    assert job.wait(120)
    took = time.monotonic() - start
    followed = wire.calls()
    reads = wire.reads("/outcome/")
    values = list(job.results(return_exceptions=True))

    # The blob that all get, what each gets, and the input; a blob is looked for first.
    assert (sent["PutObject"], sent["HeadObject"], sent["SubmitJob"]) == (4, 1, 1)
    assert followed["ListObjectsV2"] <= 2 * took / 1.0 + 4
    assert followed["DescribeJobs"] <= took / ASK + 3
    assert followed["ListJobs"] == 0
    # Why the one that failed did, and of some what they have used, which are not read again; the
    # others' values are read when they are taken.
    assert (reads, wire.reads("/outcome/")) == (8, 10)
    assert wire.reads("/frames/") == 0
    assert [each for each in values if isinstance(each, int)] == [
        n * n + (2 << 20) for n in range(9) if n != 3
    ]


def test_very_many_items(wire: Wire) -> None:
    """10,000 of them: at most 60 calls, and one for the result of each chunk."""
    start = time.monotonic()
    job = batch(lambda x: x).map(iter(range(10_000)), chunksize=2500)
    assert job.wait(120)
    took = time.monotonic() - start
    values = iter(job)
    assert next(values) == 0
    # What comes next is read meanwhile, and once.
    _until(lambda: wire.reads("/outcome/") == 4)
    assert list(values) == list(range(1, 10_000))
    assert wire.reads("/outcome/") == 4
    calls = wire.calls()
    # As long as the array runs its children are looked at, and it is asked about.
    looks = calls.pop("ListObjectsV2") + calls.pop("DescribeJobs")
    assert looks <= 2 * took / 1.0 + took / ASK + 8
    assert sum(calls.values()) <= 20 + 4
    assert calls["SubmitJob"] == 1


def test_a_cached_result_costs_one_read(wire: Wire) -> None:
    """Outcome and story come with it; Batch is not asked, whatever this session knows of it."""
    cached = length.options(cache=True)
    wire.sent.clear()
    assert cached.submit(b"small").result(60) == len(b"small")
    (kept,) = [url for name, _, url in wire.sent if name == "PutObject" and "/cache/" in url]
    (there,) = [url for name, _, url in wire.sent if name == "GetObject" and "/cache/" in url]
    assert kept == there

    for session in (lambda: wire, lambda: new_session(wire.rig)):
        seen = session()
        seen.sent.clear()
        job = cached.submit(b"small")
        assert (job.result(60), job.facts.cached) == (5, True)
        assert seen.calls() == {"GetObject": 1}


def _until(look: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)
