"""``%batch``: what Tab and help offer, and what a job looks like as a last expression."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from IPython.core.completer import provisionalcompleter

from nbbatch.magics.commands import COMMANDS
from nbbatch.session import Session


def test_tab_knows_commands_and_jobs(local_session: Session, shell: Any) -> None:
    """After ``%batch`` the commands, after a command about one job their names and ids."""
    shell.run_cell("%%batch --name told\n1").raise_error()
    (record,) = local_session.jobs()

    def offered(line: str) -> list[str]:
        with provisionalcompleter():
            return [found.text for found in shell.Completer.completions(line, len(line))]

    assert offered("%batch ca") == ["cancel", "card"]
    assert offered("%batch card t") == ["told"]
    assert offered(f"%batch logs {record.id[:8]}") == [record.id]
    assert record.id not in offered("%batch jobs 2")


def test_help_describes_every_command(shell: Any, capsys: Any) -> None:
    """A line for each, that says what it does and whether it takes a job."""
    shell.run_line_magic("batch", "help")
    text = capsys.readouterr().out

    for name, command in COMMANDS.items():
        assert command.__doc__
        assert f"  %batch {name}" in text
    assert "  %batch card ID      Open a job's live card again" in text


def test_an_ended_job_shows_its_card(local_session: Session, shell: Any, tmp_path: Path) -> None:
    """As HTML beside its plain form; one that runs has a card of its own."""
    go = tmp_path / "go"
    wait = f"while not os.path.exists({str(go)!r}): time.sleep(0.02)"
    shell.run_cell(f"%%batch --name told --detach --as job\nimport os, time\n{wait}")
    job = shell.user_ns["job"]
    live, _ = shell.display_formatter.format(job)
    go.touch()
    assert job.wait(300)
    ended, _ = shell.display_formatter.format(job)

    assert list(live) == ["text/plain"]
    assert ended["text/plain"].startswith("<Job ")
    assert "<b>✓ Succeeded</b> · told" in ended["text/html"]


def test_attaching_an_array_gives_the_whole(local_session: Session, shell: Any) -> None:
    """Some of its items may have failed: the others' values are there, too."""
    shell.run_cell(
        "from nbbatch import batch\n"
        "@batch\n"
        "def inverse(x): return 1 / x\n"
        "job = inverse.map([1, 0, 4])\n"
        "job.wait()"
    ).raise_error()
    found = shell.run_cell("%batch attach {job.id}").result

    assert (found[0], found[2], list(found.errors())) == (1.0, 0.25, [1])
    assert isinstance(found.errors()[1], ZeroDivisionError)
