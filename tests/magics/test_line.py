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
        assert parse_line(f'{option.flag} "{option.metavar}"').options.keys() == {option.name}
        assert option.flag in help_text()
