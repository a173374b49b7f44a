"""An account that nobody has set up yet, and the terminal."""

from __future__ import annotations

import io
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from nbbatch.cli import main
from tests.servers import KEYS, REGION
from tests.setup import account

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal:
    """The command line as a user has it: what is typed, what is said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.out = self.err = ""

    def run(self, line: str, *answers: str) -> int:
        """Run a command; without answers there is nobody at the keyboard."""
        keyboard = io.StringIO("".join(f"{answer}\n" for answer in answers))
        keyboard.isatty = lambda: bool(answers)  # type: ignore[method-assign]
        self._monkeypatch.setattr(sys, "stdin", keyboard)
        self._capsys.readouterr()
        code = main(line.split())
        self.out, self.err = self._capsys.readouterr()
        return code

    @property
    def said(self) -> str:
        """What was said, however wide the terminal is."""
        return " ".join(self.out.split())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


@pytest.fixture
def cloud(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Lead boto3 to an account on moto; give its address."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": moto, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    with account.corrected():
        account.prepare(moto)
        account.open_network(moto)
        yield moto


@pytest.fixture
def name() -> str:
    """Give a stack's name that no other test uses."""
    return f"test-{uuid.uuid4().hex[:8]}"
