"""An account of AWS behind an unreliable network, for this process and for its jobs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import nbbatch

sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))

import aws_rig  # noqa: E402 found beside the backends' own tests

from tests.chaos.faults import Faults  # noqa: E402
from tests.chaos.proxy import unreliable  # noqa: E402


@dataclass
class Account:
    """The account, and what goes wrong on the way to it.

    Attributes
    ----------
    s3, batch
        Faults of the two services' networks.
    signed_in
        The file with this machine's credentials.
    """

    rig: aws_rig.Rig
    s3: Faults
    batch: Faults
    signed_in: Path

    def sign_in(self, token: str) -> None:
        """Have new credentials on this machine, as ``aws sso login`` and its like leave them."""
        text = f"aws_access_key_id = testing\naws_secret_access_key = {token}-secret"
        new = self.signed_in.with_suffix(".new")
        new.write_text(f"[default]\n{text}\naws_session_token = {token}\n")
        new.replace(self.signed_in)

    def renew(self, token: str, old: str) -> None:
        """Have other credentials here and in the jobs; the old ones are good no more."""
        self.sign_in(token)
        self.rig.batch.credentials = {**self.rig.batch.credentials, "Token": token}
        for faults in (self.s3, self.batch):
            faults.expired.add(old)


@contextlib.contextmanager
def opened(tmp_path: Path, **place: Any) -> Iterator[Account]:
    """Open an account whose network is reliable until the test says otherwise."""
    with aws_rig.aws_rig(tmp_path, **place) as rig, contextlib.ExitStack() as stack:
        s3, batch = Faults(1), Faults(2)
        os.environ["AWS_ENDPOINT_URL"] = stack.enter_context(unreliable(rig.moto, s3))
        os.environ["AWS_ENDPOINT_URL_BATCH"] = stack.enter_context(unreliable(rig.batch.url, batch))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del os.environ[name]
        os.environ["NBBATCH_HOME"] = str(tmp_path / "home")
        account = Account(rig, s3, batch, Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]))
        account.sign_in("first")
        nbbatch.configure(
            backend="aws", s3_root=f"s3://{rig.bucket}/root", queue="queue", iam_role=aws_rig.ROLE
        )
        yield account


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """Open an account of the test's own."""
    with opened(tmp_path) as found:
        yield found
