"""Jobs of one machine, listed and attached from another one of the same user."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from IPython.utils.capture import capture_output

import nbbatch
from nbbatch import batch
from nbbatch.errors import ConfigurationError, JobCancelledError, NotFoundError
from nbbatch.futures.records import elsewhere
from nbbatch.session import current_session
from nbbatch.wire import keys, spec
from nbbatch.wire.envelope import seal

pytestmark = pytest.mark.thorough

sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))

import aws_rig  # noqa: E402 found beside the backends' own tests

Machine = Callable[[str], None]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Give a function that makes this process one machine or another, by its name."""
    with aws_rig.aws_rig(tmp_path) as rig:

        def become(name: str) -> None:
            os.environ["NBBATCH_HOME"] = str(tmp_path / name)
            nbbatch.configure(
                backend="aws",
                s3_root=f"s3://{rig.bucket}/root",
                queue="queue",
                iam_role=aws_rig.ROLE,
            )

        yield become


def _function() -> Any:
    # Inside a function, so that it travels by value, without this module.
    @batch
    def work(number: int, until: str = "") -> int:
        import os
        import time

        print("number", number)
        while until and not os.path.exists(until):
            time.sleep(0.02)
        return number * number

    return work


def secret(tmp_path: Path, name: str) -> Path:
    """Return the file with a machine's secret."""
    return tmp_path / name / "secret"


def take_secret(tmp_path: Path, target: str, source: str) -> None:
    """Copy it, as a person does."""
    secret(tmp_path, target).parent.mkdir()
    secret(tmp_path, target).write_bytes(secret(tmp_path, source).read_bytes())


def test_the_same_user(machine: Machine, tmp_path: Path) -> None:
    """What runs and what has ended is listed there, followed, painted, and has its values."""
    machine("laptop")
    work = _function()
    ended = work.submit(3)
    assert ended.result(60) == 9
    running = work.submit(4, str(tmp_path / "gate"))
    take_secret(tmp_path, "desktop", "laptop")

    machine("desktop")
    listed = {facts.id: facts for facts in nbbatch.jobs()}
    assert set(listed) == {ended.id, running.id}
    assert listed[ended.id].batch_job_id == ended.batch_job_id
    assert str(listed[ended.id].state) in ("STARTING", "RUNNING", "SUCCEEDED")
    there = nbbatch.attach(ended.id)
    assert (there.result(60), there.logs()) == (9, "number 3\n")
    other = nbbatch.attach(running.id[-6:])
    assert not other.done()
    (tmp_path / "gate").touch()
    assert other.result(60) == 16
    assert running.result(60) == 16
    # It has been noted: the next time nobody is asked.
    assert {record.id for record in current_session().jobs()} == set(listed)


CELL = """%%batch --name drawn
squares = [n * n for n in range(5)]
class Plot:
    def _repr_png_(self):
        return b"a picture"
print("drawn")
display(Plot())
"""


def test_a_cell_with_a_plot(machine: Machine, tmp_path: Path, shell: Any) -> None:
    """Attached on another machine its text and plot are painted there, and its names bound."""
    machine("laptop")
    with capture_output():
        shell.run_cell(CELL)
    take_secret(tmp_path, "desktop", "laptop")
    shell.reset(new_session=False)

    machine("desktop")
    with capture_output() as painted:
        shell.run_line_magic("batch", "attach drawn")
    assert "drawn" in painted.stdout
    assert "image/png" in {kind for output in painted.outputs for kind in output.data}
    assert shell.user_ns["squares"] == [0, 1, 4, 9, 16]


def test_by_the_environment(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without files of its own has the secret from a variable, or from AWS's vault."""
    machine("laptop")
    job = _function().submit(3)
    assert job.result(60) == 9
    text = secret(tmp_path, "laptop").read_text()
    monkeypatch.setenv("NBBATCH_SECRET", text)
    machine("container")
    assert nbbatch.attach("work").result(60) == 9
    assert not secret(tmp_path, "container").exists()
    aws_rig.service("ssm").put_parameter(Name=f"/me{tmp_path}", Value=text, Type="SecureString")
    monkeypatch.setenv("NBBATCH_SECRET", f"ssm:/me{tmp_path}")
    machine("other")
    assert nbbatch.attach(job.id).result(60) == 9
    monkeypatch.setenv("NBBATCH_SECRET", text[:-1])
    machine("third")
    with pytest.raises(ConfigurationError, match="64 hexadecimal digits"):
        current_session()


def test_another_user(machine: Machine, tmp_path: Path) -> None:
    """Without the secret nothing is listed, and the error says what is to be copied."""
    machine("laptop")
    job = _function().submit(3)
    assert job.result(60) == 9

    machine("stranger")
    assert nbbatch.jobs() == []
    with pytest.raises(NotFoundError) as caught:
        nbbatch.attach(job.id)
    assert "another secret" in caught.value.cause
    assert str(tmp_path / "stranger") in caught.value.hint
    with pytest.raises(NotFoundError, match="there is no job"):
        nbbatch.attach("20200101-000000-00000000")


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_who_may_only_write_to_the_bucket(machine: Machine, tmp_path: Path) -> None:
    """Records that were made up, altered, moved or sealed otherwise are no jobs; nothing is run."""
    machine("laptop")
    job = _function().submit(3)
    assert job.result(60) == 9
    store = current_session().backend.store
    ((name, _, _),) = store.list(keys.RECORDS)
    user = name.split("/")[1]
    data = store.get(name) or b""
    record = next(current_session().jobs())
    bad = [f"20300101-000000-0000000{n}" for n in range(5)]
    meta = asdict(replace(record, id=bad[0]))
    forgery = b"".join(map(bytes, seal(b"x" * 32, spec.RECORD, bad[0], meta)))
    store.put(keys.record(user, bad[0]), [forgery])
    store.put(keys.record(user, bad[1]), [data])
    store.put(keys.record(user, bad[2]), [pickle.dumps(Bomb(tmp_path / "canary"))])
    store.put(keys.record(user, bad[3]), [data.replace(b'"work"', b'"walk"')])
    store.put(keys.record(user, bad[4]), [b""])
    store.put(keys.record("somebody", bad[4]), [data])
    take_secret(tmp_path, "desktop", "laptop")

    machine("desktop")
    assert [facts.id for facts in nbbatch.jobs()] == [job.id]
    for id_ in bad:
        with pytest.raises(NotFoundError):
            nbbatch.attach(id_)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("copied", [False, True])
def test_a_claim_that_was_made_up(machine: Machine, tmp_path: Path, copied: bool) -> None:
    """Whoever may write to the bucket can't have another job stopped, or followed, in its place."""
    machine("laptop")
    work = _function()
    mine, other = (work.submit(n, str(tmp_path / "gate")) for n in (3, 4))
    store = current_session().backend.store
    until(lambda: all(store.get(keys.claim(job.id, 1)) for job in (mine, other)))
    claim = store.get(keys.claim(other.id, 1)) if copied else other.batch_job_id.encode()
    store.put(keys.claim(mine.id, 1), [claim or b""])
    take_secret(tmp_path, "desktop", "laptop")

    machine("desktop")
    assert mine.id in {facts.id for facts in nbbatch.jobs()}
    there = nbbatch.attach(mine.id)
    assert there.cancel()
    with pytest.raises(JobCancelledError):
        there.result(60)
    assert there.batch_job_id == mine.batch_job_id
    assert not other.done()
    (tmp_path / "gate").touch()
    assert other.result(60) == 16


def test_the_monitor(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has what other machines have started, and start, with a listing a day now and then."""
    monkeypatch.setattr(elsewhere, "_PAUSE", 0.1)
    machine("laptop")
    first = _function().submit(3)
    assert first.result(60) == 9
    take_secret(tmp_path, "desktop", "laptop")

    machine("desktop")
    store, listed = current_session().backend.store, []
    listing = store.list
    monkeypatch.setattr(store, "list", lambda prefix: listed.append(prefix) or listing(prefix))
    roll = current_session().roll()
    roll.open()
    until(lambda: [facts.id for facts in roll.facts()] == [first.id])
    machine("laptop")
    second = _function().submit(4)
    until(lambda: [facts.id for facts in roll.facts()] == [second.id, first.id])
    until(lambda: [facts.outcome for facts in roll.facts()] == ["ok", "ok"])
    roll.close()
    records = [prefix for prefix in listed if prefix.startswith(keys.RECORDS)]
    assert records[0].endswith("/")
    assert {len(prefix) - len(records[0]) for prefix in records[1:]} == {len("20260131")}


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_nothing_secret_is_in_a_record(machine: Machine) -> None:
    """A colleague who may read the bucket sees what a job is called, and not what it was given."""
    machine("laptop")
    job = _function().options(environment={"TOKEN": "hush"}, retries=1).submit(3)
    assert job.result(60) == 9
    store = current_session().backend.store
    ((name, _, _),) = store.list(keys.RECORDS)

    assert b"hush" not in (store.get(name) or b"")
    assert os.getcwd().encode() not in (store.get(name) or b"")
