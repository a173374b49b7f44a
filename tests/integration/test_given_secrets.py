"""Secrets that a job is given: it has them, and nothing else has."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbbatch import batch, secrets
from nbbatch.errors import ConfigurationError, CredentialsError, NotFoundError
from nbbatch.notebook import run_notebook
from nbbatch.session import Session
from tests.integration.conftest import Notebook, gone
from tests.servers import KEYS, REGION, aws

pytestmark = pytest.mark.thorough

PASSWORD, USER, TOKEN = "pa55-in-the-vault", "u5er-in-the-vault", "t0ken-in-ssm"
VALUES = (PASSWORD, USER, TOKEN)


@pytest.fixture
def vault(moto: str, monkeypatch: pytest.MonkeyPatch, local_session: Session) -> str:
    """Have an account with a secret and a parameter, and credentials for it."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": moto, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    manager = aws(moto, "secretsmanager")
    if not manager.list_secrets(Filters=[{"Key": "name", "Values": ["vault"]}])["SecretList"]:
        text = f'{{"vault-user": "{USER}", "vault.password": "{PASSWORD}"}}'
        manager.create_secret(Name="vault", SecretString=text)
    parameter = {"Name": "/vault/token", "Value": TOKEN, "Type": "SecureString"}
    aws(moto, "ssm").put_parameter(**parameter, Overwrite=True)
    return "vault"


LINE = "%%batch --secrets vault --secrets TOKEN=ssm:/vault/token"
BEGIN = """\
%load_ext nbbatch
import hashlib, os

def digest(name):
    return hashlib.sha256(os.environ[name].encode()).hexdigest()
"""
LOOK = f"""\
{LINE}
seen = [digest(name) for name in ("vault_user", "vault_password", "TOKEN")]
left = [name for name in os.environ if "NBBATCH_SECRET" in name]
print("seen")
"""
FAIL = """\
%%batch --secrets PASSWORD=vault#vault.password --catch problem
hidden = os.environ["PASSWORD"]; del hidden
1 / 0
"""
CELLS = [BEGIN, f"{LINE} --dry-run\n1", LOOK, FAIL, "print(*seen, *left, type(problem).__name__)"]


def test_a_secret_is_nowhere_but_in_its_job(
    vault: str, tmp_path: Path, local_session: Session
) -> None:
    """No object, log, record, request or executed notebook holds one; the job itself does."""
    import hashlib

    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    source, target, out = tmp_path / "a.ipynb", tmp_path / "b.ipynb", io.StringIO()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    assert run_notebook(source, target, out) == 0, out.getvalue()
    digests = [hashlib.sha256(value.encode()).hexdigest() for value in (USER, PASSWORD, TOKEN)]
    said = out.getvalue()
    last = nbformat.read(target, as_version=4).cells[-1]
    assert last.outputs[0].text.split() == [*digests, "ZeroDivisionError"]
    assert '"ssm:/vault/token"' in said
    gone(local_session)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        data = path.read_bytes()
        assert not any(value.encode() in data for value in VALUES), path
    assert not any(value in said for value in VALUES)


def test_neither_facts_nor_processes_show_one(vault: str, local_session: Session) -> None:
    """What is known about the job, and the commands that run it, hold no secret."""

    @secrets(sources={"PASSWORD": "vault#vault.password"})
    @batch
    def look() -> tuple[str, list[bytes]]:
        family = [os.getpid(), os.getppid(), int(Path("/proc/self/stat").read_text().split()[5])]
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in family]
        return os.environ["PASSWORD"][::-1], commands

    job = look.submit()
    value, commands = job.result(60)
    assert value == PASSWORD[::-1]
    shown = [job, job.facts, look, next(local_session.jobs()), job.logs(), job.outputs, commands]
    assert PASSWORD not in "".join(f"{thing!r} {thing!s}" for thing in shown)
    assert "PASSWORD" not in os.environ


def test_a_refusal_names_no_value(vault: str) -> None:
    """A secret that can't be expanded refuses the job, without telling what it is."""
    with pytest.raises(ConfigurationError, match="no JSON object") as caught:
        batch(secrets=["ssm:/vault/token"])(lambda: 1).submit().result(60)
    assert TOKEN not in str(caught.value)


def test_a_secret_that_is_not_there(vault: str, local_session: Session) -> None:
    """Nothing is started, and nothing of it is left."""
    with pytest.raises(NotFoundError, match="can't read the secret nowhere"):
        batch(secrets=["nowhere"])(lambda: 1).submit()
    assert not list(local_session.jobs())
    assert not [key for key, _, _ in local_session.backend.store.list("jobs/")]


def test_without_credentials(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It says so, and what to do."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    error: Any = notebook.failing("1", "--secrets A=vault")
    assert isinstance(error, CredentialsError)
    assert "aws configure" in error.hint
