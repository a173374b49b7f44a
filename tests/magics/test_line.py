"""The grammar of the line of ``%%batch``."""

from __future__ import annotations

import pytest

from nbbatch.errors import OptionError
from nbbatch.magics.line import CellLine, help_text, parse_line
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
        ("--image 'a #b'#c", CellLine({"image": "a #b#c"})),
        ("--catch --dry-run", CellLine({"catch": ""}, dry_run=True)),
        ("--catch", CellLine({"catch": ""})),
        ("--catch problem", CellLine({"catch": "problem"})),
        ("--image 'my image'", CellLine(options={"image": "my image"})),
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


def test_every_option_is_a_flag() -> None:
    """The line takes each option of the table, and the help lists it."""
    for option in table():
        assert parse_line(option.example).options.keys() == {option.name}
        assert option.flag in help_text()


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
