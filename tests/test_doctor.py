"""The doctor on this machine, and how findings read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch.backends.local import examination
from nbbatch.cli import main
from nbbatch.doctor import examine, render, summary
from nbbatch.facts import Finding, Verdict
from nbbatch.session import current_session

TALE = Finding(
    "queue",
    Verdict.WRONG,
    "gpu-queue is DISABLED and VALID",
    "somebody in the console has disabled it, which keeps jobs from being taken by it",
    "aws batch update-job-queue --job-queue gpu-queue --state ENABLED, or --queue another",
)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the examination's own job as long as it takes on a busy machine."""
    monkeypatch.setattr(examination, "_PATIENCE", 300.0)


def found(**options: Any) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(options)}


def left(home: Path) -> list[str]:
    return sorted(str(p.relative_to(home)) for p in home.rglob("*") if p.is_file())


def test_all_is_well(local_session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """On a machine that can run jobs each line is ok, and nothing is left of the examination."""
    code = main(["doctor"])
    said = capsys.readouterr().out

    assert code == 0
    assert said.endswith("\nnothing is wrong\n")
    for name in ("configuration", "home", "disk", "cpu", "memory", "gpu", "python", "job"):
        assert f"\nok      {name} " in said
    assert left(current_session().settings.home) == ["secret"]


def test_it_looks_with_the_options_of_the_jobs(local_session: Any) -> None:
    """What is asked for beyond what the machine has is a warning that names the option."""
    told = found(cpu=1000, memory="900G", gpu=70)

    for name in ("cpu", "memory", "gpu"):
        assert told[name].verdict is Verdict.WARNING
        assert f"--{name} " in told[name].hint
    assert told["job"].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("executable", "said"),
    [("no-such-python", "no such program"), ("false", "says nothing")],
)
def test_a_program_that_is_no_python(local_session: Any, executable: str, said: str) -> None:
    """The interpreter is tried; without one no job is."""
    told = found(executable=executable)

    assert told["python"].verdict is Verdict.WRONG
    assert said in told["python"].cause
    assert "job" not in told


def test_another_python(local_session: Any, tmp_path: Path) -> None:
    """A Python of another version runs cells, and that is said."""
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.9\n")
    other.chmod(0o755)
    told = found(executable=str(other))

    assert told["python"].verdict is Verdict.WARNING
    assert "Python 3.9" in told["python"].found
    assert told["job"].verdict is Verdict.OK


def test_a_job_that_fails(local_session: Any, tmp_path: Path) -> None:
    """Where even a job that does nothing fails its last words are shown."""
    other = tmp_path / "python"
    other.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && echo {}.{} && exit\necho "no room here"; exit 3\n'.format(
            *sys.version_info
        )
    )
    other.chmod(0o755)
    told = found(executable=str(other))

    assert told["job"].verdict is Verdict.WRONG
    assert "no room here" in told["job"].cause


def test_a_home_that_can_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to nowhere, or a folder below a file, is the first thing that is wrong."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "home")
    for home in (tmp_path / "link", tmp_path / "file" / "home"):
        monkeypatch.setenv("NBBATCH_HOME", str(home))
        told = list(examine({}))

        assert [finding.verdict for finding in told] == [Verdict.OK, Verdict.WRONG]
        assert str(home) in told[-1].found + told[-1].cause
        assert told[-1].hint


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NBBATCH_BACKEND", "awss", "use local or aws"),
        ("NBBATCH_BACKEND", "aws", "NBBATCH_S3_ROOT"),
        ("NBBATCH_S3_ROOT", "bucket/x", "s3://my-bucket/nbbatch"),
        ("NBBATCH_PROFILE", "none", "unset NBBATCH_PROFILE"),
        ("METAFLOW_DEFAULT_RUNTIME_LIMIT", "soon", "--timeout"),
    ],
)
def test_a_broken_configuration(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    said: str,
) -> None:
    """It is the finding, with what to type; the exit code says that something is wrong."""
    (Path(os.environ["NBBATCH_HOME"])).mkdir()
    (Path(os.environ["NBBATCH_HOME"]) / "config.toml").write_text("")
    monkeypatch.setenv(variable, value)
    code = main(["doctor"])
    shown = capsys.readouterr()

    assert code == 1
    assert "WRONG   configuration" in shown.out
    assert said in shown.out
    assert "1 thing is wrong" in shown.out
    assert shown.err == ""


def test_bad_lines(local_session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that does not exist, a cell's own flag and a stray word are refused at once."""
    for line, said in (
        (["--gpuu", "1"], "did you mean --gpu?"),
        (["--detach"], "the options of a job alone"),
        (["--out", "x"], "the options of a job alone"),
        (["gpu"], "stands alone"),
        (["--gpu"], "has no value"),
        (["--gpu", "-1"], "gpu takes"),
    ):
        assert main(["doctor", *line]) == 1
        shown = capsys.readouterr()
        assert said in shown.err
        assert shown.out == ""
    with pytest.raises(SystemExit, match="2"):
        main(["jobs", "--gpu", "1"])


def test_the_magic_prints_the_same(
    local_session: Any, shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """``%batch doctor`` takes the same options, prints the same lines and returns nothing."""
    assert shell.run_line_magic("batch", "doctor --gpu 99 --name 'a-b'") is None
    said = capsys.readouterr().out

    assert "\nwarning gpu " in said
    assert said.endswith("\nnothing is wrong, 1 warning\n")
    result = shell.run_cell("%batch doctor --cpus 1")
    assert isinstance(result.error_in_exec, nbbatch.NbbatchError)


def test_findings_come_one_by_one(local_session: Any) -> None:
    """What is known is shown before what takes longer is looked at."""
    findings = examine({})
    first = next(findings)
    findings.close()

    assert first.name == "nbbatch"
    assert not (Path(os.environ["NBBATCH_HOME"]) / "local").exists()


@pytest.mark.parametrize("width", [20, 60, 100])
def test_how_a_finding_reads(width: int) -> None:
    """A word says the verdict; text is wrapped below itself, what is to be typed is not."""
    lines = render(TALE, width).splitlines()

    assert lines[0].startswith("WRONG   queue          gpu-queue is")
    assert lines[-1].strip() == f"next:  {TALE.hint}"
    assert all(len(line) <= max(width, 55) for line in lines[:-1])
    assert all(line.startswith(" " * 23) for line in lines[1:])


def test_the_sum() -> None:
    """One line says how many are wrong, are warnings, and can't be told."""

    def sum_of(*verdicts: Verdict) -> str:
        return summary(Finding("x", verdict, "y") for verdict in verdicts)

    assert sum_of(Verdict.OK) == "nothing is wrong"
    assert sum_of(Verdict.WRONG, Verdict.SKIPPED) == "1 thing is wrong, 1 can't be told"
    assert sum_of(Verdict.WRONG, Verdict.WRONG, Verdict.WARNING, Verdict.WARNING) == (
        "2 things are wrong, 2 warnings"
    )
