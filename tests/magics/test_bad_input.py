"""Bad input: one clear error, nothing submitted, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_rig import Rig, aws_rig

import nbbatch
from nbbatch import errors
from nbbatch.session import current_session

SETUP = """
import threading
lock = threading.Lock()
model = {"layers": [1, lock]}
reader = (line for line in [])
"""


def names(shell: Any) -> dict[str, int]:
    """Return what the namespace holds, by identity, but for the shell's own history."""
    return {n: id(v) for n, v in shell.user_ns.items() if not n.startswith("_") and n != "Out"}


def left_in_store() -> list[str]:
    store = current_session().backend.store
    return [key for key, _, _ in store.list("") if not key.startswith("worker/")]


def refused(shell: Any, cell: str, kind: type[errors.NbbatchError]) -> errors.NbbatchError:
    """Run a cell that must be refused; check that it left nothing, and its message's form."""
    before = names(shell)
    result = shell.run_cell(cell, store_history=True)
    error = result.error_before_exec or result.error_in_exec

    assert type(error) is kind, error
    assert names(shell) == before
    assert left_in_store() == []
    assert list(current_session().jobs()) == []
    assert error.what
    assert error.cause
    assert error.hint
    shown = "\n".join(error._render_traceback_())
    assert len(shown.splitlines()) <= 8
    assert "nbbatch/" not in shown
    return error


@pytest.mark.usefixtures("local_session")
@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        ("%%batch --cpus 4\n1", errors.OptionError, "did you mean --cpu?"),
        ("%%batch --cpu 0\n1", errors.OptionError, "cpu takes a number above 0"),
        ("%%batch --memory lots\n1", errors.OptionError, "memory takes a size"),
        ("%%batch --gpu 1.5\n1", errors.OptionError, "gpu takes a whole number"),
        ("%%batch --retries 10\n1", errors.OptionError, "a whole number from 0 to 9"),
        ("%%batch --in missing\n1", errors.CellError, "there is no variable missing"),
        ("%%batch\nx = 1\ny = = 2", errors.CellError, "line 3 of the cell"),
        ("%%batch\nif True:\nx = 1", errors.CellError, "line 3 of the cell"),
        ("%%batch\n%%time\ny = = 2", errors.CellError, "line 3 of the cell"),
        ("%%batch\nmodel", errors.NotPicklableError, "model['layers'][1] (_thread.lock)"),
        ("%%batch\nlist(reader)", errors.NotPicklableError, "reader (generator)"),
        ("%batch jbos", errors.UsageError, "did you mean %batch jobs?"),
        ("%batch logs", errors.UsageError, "%batch logs ID"),
        ("%batch attach nothing", errors.NotFoundError, "there is no job nothing"),
    ],
)
def test_refused_on_local(
    shell: Any, cell: str, kind: type[errors.NbbatchError], said: str
) -> None:
    """What is wrong before anything is sent is said, and nothing has happened."""
    shell.run_cell(SETUP).raise_error()

    assert said in str(refused(shell, cell, kind))


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Rig]:
    """Give an AWS account of the test's own, with a queue and a role, to this process."""
    with aws_rig(tmp_path) as rig:
        os.environ["NBBATCH_HOME"] = str(tmp_path / "aws-home")
        nbbatch.configure(
            backend="aws",
            s3_root=f"s3://{rig.bucket}/root",
            queue="queue",
            iam_role="arn:aws:iam::123456789012:role/job",
        )
        yield rig


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("--queue nowhere", errors.NotFoundError, "nowhere"),
        ("--iam-role my-role", errors.OptionError, "iam_role"),
        ("--cpu 1.5", errors.OptionError, "cpu"),
    ],
)
def test_refused_on_aws(
    shell: Any, aws: Rig, line: str, kind: type[errors.NbbatchError], said: str
) -> None:
    """What the account can't do is said before anything is written."""
    error = refused(shell, f"%%batch {line}\n1", kind)

    assert said in str(error)
    assert aws.batch.count()["SubmitJob"] == 0


def test_no_such_bucket(shell: Any, aws: Rig) -> None:
    """A bucket that does not exist is named."""
    nbbatch.configure(s3_root="s3://there-is-no-such-bucket/x")
    result = shell.run_cell("%%batch\n1")

    assert type(result.error_in_exec) is errors.NotFoundError
    assert "there-is-no-such-bucket" in str(result.error_in_exec)
    assert list(current_session().jobs()) == []
    assert aws.batch.count()["SubmitJob"] == 0


def test_no_credentials(tmp_path: Path) -> None:
    """Without credentials the error comes at once and says where they are looked for."""
    code = (
        "import nbbatch\n"
        "nbbatch.configure(s3_root='s3://bucket/x', queue='q',"
        " iam_role='arn:aws:iam::123456789012:role/r', region='us-east-1')\n"
        "nbbatch.batch(len).submit([])"
    )
    environ = {**os.environ, "NBBATCH_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=False
    )

    assert "CredentialsError" in run.stderr
    assert "next:" in run.stderr


@pytest.mark.usefixtures("local_session")
def test_dry_run_sends_nothing_and_hides_the_key(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exact requests are printed, the key masked, and nothing has happened."""
    shell.run_cell("xs = [1]").raise_error()
    shell.run_cell("%%batch --dry-run --cpu 2\nxs").raise_error()
    printed = capsys.readouterr().out

    assert "variables that would travel: xs" in printed
    assert '"NBBATCH_KEY": "********"' in printed
    assert left_in_store() == []
    assert list(current_session().jobs()) == []


def test_dry_run_on_aws_shows_the_requests(
    shell: Any, aws: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    """RegisterJobDefinition and SubmitJob appear as they would be sent."""
    shell.run_cell("%%batch --dry-run --cpu 2\n1").raise_error()
    printed = capsys.readouterr().out

    assert "RegisterJobDefinition" in printed
    assert "SubmitJob" in printed
    assert "********" in printed
    assert not aws.batch.count().keys() & {"SubmitJob", "RegisterJobDefinition"}
    assert left_in_store() == []
