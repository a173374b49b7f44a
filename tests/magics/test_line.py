"""The grammar of the line of ``%%batch``."""

from __future__ import annotations

from typing import Any

import pytest

from nbbatch.errors import OptionError
from nbbatch.magics.line import CELL_FLAGS, CellLine, help_text, parse_line
from nbbatch.options import table


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("", CellLine()),
        ("--cpu 4 --gpu=1", CellLine(options={"cpu": 4.0, "gpu": 1})),
        ("--shared-memory 1G", CellLine(options={"shared_memory": 1024})),
        ("--in x,y --in-", None),
        ("--in x,y", CellLine(names_in=("x", "y"))),
        ("--out model", CellLine(names_out=("model",))),
        ("--out ''", CellLine(names_out=())),
        ("--detach --as job", CellLine(detach=True, as_name="job")),
        ("--dry-run  # look first", CellLine(dry_run=True)),
        ("--dry-run # don't", CellLine(dry_run=True)),
        ("# --dry-run", CellLine()),
        (
            "--name a-b --secrets P=db#key # c",
            CellLine({"name": "a-b", "secrets": (("P", "db#key"),)}),
        ),
        ("--secrets 'P=db#key'", CellLine({"secrets": (("P", "db#key"),)})),
        ("--executable 'a #b'#c", CellLine({"executable": "a #b#c"})),
        ("--catch --dry-run", CellLine({"catch": ""}, dry_run=True)),
        ("--catch", CellLine({"catch": ""})),
        ("--catch problem", CellLine({"catch": "problem"})),
        ("--executable 'my env/python'", CellLine(options={"executable": "my env/python"})),
    ],
)
def test_lines(line: str, parsed: CellLine | None) -> None:
    """Flags in both forms, quoting, comments; a strange flag is refused."""
    if parsed is None:
        with pytest.raises(OptionError):
            parse_line(line)
    else:
        assert parse_line(line) == parsed


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--cpus 4", "did you mean --cpu?"),
        ("--detatch", "did you mean --detach?"),
        ("--cpu", "--cpu has no value"),
        ("--cpu --gpu 1", "--cpu has no value"),
        ("--cpu 0", "cpu takes a number above 0"),
        ("--cpu 1 --cpu 2", "--cpu is given twice"),
        ("--memory lots", "memory takes a size in MiB"),
        ("--detach=yes", "--detach takes no value"),
        ("-cpu 4", "options begin with two dashes"),
        ("train", "'train' stands alone"),
        ("--as 1x", "it takes names of variables"),
        ("--in x+y", "it takes names of variables"),
        ("--image 'python", "close the quotation mark"),
    ],
)
def test_wrong_lines(line: str, said: str) -> None:
    """Each mistake gets one error that says what to type."""
    with pytest.raises(OptionError) as caught:
        parse_line(line)

    assert said in str(caught.value)
    assert caught.value.hint


def test_the_help_lists_every_flag() -> None:
    """In groups, the resources first, within the width of a notebook's pane."""
    lines = help_text().splitlines()
    flags = {line.split()[0].replace("[no-]", "") for line in lines if line.startswith("  --")}
    heads = [line[:-1] for line in lines if line.endswith(":") and not line.startswith(" ")]

    assert flags == {o.flag for o in table()} | {f"--{name}" for name in CELL_FLAGS}
    assert heads[:2] == ["Resources", "Of the cell"]
    assert set(heads) == {o.group for o in table()} | {"Of the cell"}
    assert max(map(len, lines)) <= 96


def test_the_notebook_shows_the_help(shell: Any) -> None:
    """``%%batch?`` and Shift-Tab show it, and ``%load_ext`` did not have to write it."""
    shown = shell.object_inspect_mime("%%batch")["text/plain"]

    assert help_text() in shown


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--privileged", {"privileged": True}),
        ("--privileged=false", {"privileged": False}),
        ("--no-tmpfs-tempdir", {"tmpfs_tempdir": False}),
        ("--privileged --cpu 2", {"privileged": True, "cpu": 2.0}),
        ("--tags a=1 --tags b=x=y", {"tags": {"a": "1", "b": "x=y"}}),
        ("""--tags '{"a": "1"}'""", {"tags": {"a": "1"}}),
        ("--log-options awslogs-group:/a:b", {"log_options": {"awslogs-group": "/a:b"}}),
        ("--host-volumes /a --host-volumes /b:/c", {"host_volumes": (("/a", "/a"), ("/b", "/c"))}),
        ("--retry-on spot,memory --retry-on 3", {"retry_on": ("spot", "memory", "3")}),
        ("--ulimits nofile=10:20", {"ulimits": (("nofile", 10, 20),)}),
        ("--extra '{\"a\": [1]}'", {"extra": {"a": [1]}}),
    ],
)
def test_switches_and_repeated_flags(line: str, expected: dict[str, object]) -> None:
    """A switch needs no value, a flag of several values may stand several times."""
    assert parse_line(line).options == expected
