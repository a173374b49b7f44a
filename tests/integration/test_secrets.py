"""The key that seals a job, and the secret behind it, are nowhere to be read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbbatch import batch
from nbbatch.backends.base import Launch
from nbbatch.session import Session, current_session
from nbbatch.wire.envelope import job_key
from tests.integration.conftest import gone


def secrets_of(session: Session, id_: str) -> list[bytes]:
    """Return the secret and a job's key, in the forms in which they might be found."""
    secret = session._secret
    key = job_key(secret, id_)
    return [secret, key, secret.hex().encode(), key.hex().encode(), repr(key).encode()[2:-1]]


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files but the one that holds the secret."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "secret":
            yield path


def test_the_job_can_not_see_its_key(local_session: Session) -> None:
    """Neither its environment, nor that of what it starts, nor the system's record has it."""

    def look() -> dict[str, bytes]:
        def environ(pid: int) -> bytes:
            return Path(f"/proc/{pid}/environ").read_bytes()

        command = [sys.executable, "-c", "import os; print(dict(os.environ))"]
        found = {
            "environ": repr(dict(os.environ)).encode(),
            "command": subprocess.run(command, capture_output=True, check=True).stdout,
            "shell": subprocess.run(["env"], capture_output=True, check=True).stdout,
        }
        if sys.platform == "linux":
            found["system"] = environ(os.getpid())
            found["monitor"] = environ(os.getppid())
        return found

    job = batch(look).submit()
    for place, text in job.result(60).items():
        assert b"NBBATCH_STORE" in text
        for secret in secrets_of(local_session, job.id):
            assert secret not in text, place


def test_nothing_on_disk_has_a_key(local_session: Session, tmp_path: Path) -> None:
    """No object, log, record or launch file holds a key; the secret is for its owner only."""

    def work() -> None:
        print(dict(os.environ), globals())
        raise ValueError("seen")

    job = batch(work).submit()
    assert isinstance(job.exception(60), ValueError)
    secrets = secrets_of(local_session, job.id)
    gone(local_session)
    files = list(files_below(tmp_path))
    assert len(files) > 5
    for path in files:
        data = path.read_bytes()
        assert not any(secret in data for secret in secrets), path
    home = local_session.settings.home
    assert (home / "secret").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_no_object_shows_a_key(local_session: Session) -> None:
    """Whatever is printed, or shows in an error, has no key in it."""
    launches: list[Launch] = []
    job = batch(lambda: 1).submit()
    assert job.result(60) == 1
    record = next(local_session.jobs())
    runner = local_session.backend.runner
    launch = Launch("id", "name", local_session.options(), {"NBBATCH_KEY": "hidden!"}, "0" * 64)
    launches.append(launch)
    shown = [job, job.facts, record, local_session, local_session.settings, runner, launch]
    shown += [vars(local_session.settings), local_session.backend, job.outputs]
    text = "".join(f"{thing!r} {thing!s}" for thing in shown).encode()
    assert b"hidden!" not in text
    for secret in secrets_of(local_session, job.id):
        assert secret not in text


def test_a_dry_run_masks_the_key(notebook: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The requests are shown with the key's name and without the key, and nothing is sent."""
    notebook.batch("1", "--dry-run")
    text = capsys.readouterr().out
    assert '"NBBATCH_KEY": "********"' in text
    assert "nothing was sent" in text
    session = current_session()
    id_ = text.partition('"NBBATCH_JOB": "')[2].partition('"')[0]
    assert id_
    for secret in secrets_of(session, id_):
        assert secret.decode("latin-1") not in text
    assert not list(session.backend.store.list(""))
    assert not list(session.jobs())
