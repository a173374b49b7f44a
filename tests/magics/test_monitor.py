"""``%batch`` alone, where there is no page: a table."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

import nbbatch
from nbbatch.errors import UsageError
from nbbatch.futures.records.registry import Record
from nbbatch.session import Session


@pytest.fixture
def noted(local_session: Session) -> list[str]:
    """Note 102 jobs that have ended, two of them of a notebook."""
    place = local_session.backend.store.url
    base = Record("", "train", "call", place, time.time(), outcome="ok")
    ids = [f"20260101-000000-{number:08}" for number in range(102)]
    for number, id_ in enumerate(ids):
        notebook = "/home/ann/a.ipynb" if number < 2 else ""
        local_session._registry.write(dataclasses.replace(base, id=id_, notebook=notebook))
    return ids


def shown(shell: Any, line: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    shell.run_line_magic("batch", line)
    return capsys.readouterr().out


def test_in_a_terminal_it_is_a_table(
    shell: Any, noted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a page, `%batch` prints the newest jobs and says how many there are besides."""
    text = shown(shell, "", capsys)

    assert (noted[-1] in text, noted[1] in text) == (True, False)
    assert "and 2 older: %batch jobs --all" in text
    for line in ("monitor", "--all", "monitor --all", "jobs"):
        assert shown(shell, line, capsys) == text


def test_every_one_is_listed_on_request(
    shell: Any, noted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`%batch jobs --all` hides none."""
    text = shown(shell, "jobs --all", capsys)

    assert [id_ for id_ in noted if id_ not in text] == []
    assert "older" not in text


def test_those_of_a_notebook(
    shell: Any,
    noted: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a notebook without a page (`nbclient`), `%batch` prints this notebook's jobs."""
    monkeypatch.setattr("nbbatch.monitoring.notebook", lambda: "/home/ann/a.ipynb")
    monkeypatch.setattr("nbbatch.magics.commands.notebook", lambda: "/home/ann/a.ipynb")
    lines = shown(shell, "", capsys).splitlines()

    assert [line.split()[0] for line in lines[1:]] == [noted[1], noted[0]]
    assert shown(shell, "jobs --notebook", capsys).splitlines() == lines


@pytest.mark.usefixtures("local_session")
@pytest.mark.parametrize("line", ["jobs --al", "monitor train", "--notebook"])
def test_unknown_flags_are_refused(shell: Any, line: str) -> None:
    """A flag that is none says which there are."""
    with pytest.raises(UsageError, match="does not take"):
        shell.run_line_magic("batch", line)


def test_in_plain_python_it_is_a_table(
    noted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`nbbatch.monitor()` prints."""
    nbbatch.monitor()

    assert noted[-1] in capsys.readouterr().out
