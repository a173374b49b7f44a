"""The user's configuration file is edited, and nothing else in it changes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from nbbatch.errors import ConfigurationError
from nbbatch.setup.configfile import (
    read,
    settings,
    with_settings,
    without_settings,
    write,
)

NEW = {"queue": "q", "log_options": ["a:b"]}

EDITS = {
    "an empty file": ("", "", 'queue = "q"\nlog_options = ["a:b"]\n'),
    "a comment alone": ("# mine\n", "", '# mine\nqueue = "q"\nlog_options = ["a:b"]\n'),
    "what is there stays": (
        '# mine\ncpu = 2  # two\n\nimage = "i"\n',
        "",
        '# mine\ncpu = 2  # two\n\nimage = "i"\nqueue = "q"\nlog_options = ["a:b"]\n',
    ),
    "a value is replaced in its line": (
        'queue = "old"   # of the team\nlog_options=[ "x", "y" ]\ncpu = 2\n',
        "",
        'queue = "q"   # of the team\nlog_options=["a:b"]\ncpu = 2\n',
    ),
    "other kinds of values too": (
        "queue = 'o#ld'# why\n",
        "",
        'queue = "q"# why\nlog_options = ["a:b"]\n',
    ),
    "before the first section": (
        "cpu = 2\n\n# big ones\n[profiles.big]\ncpu = 8\n",
        "",
        'cpu = 2\nqueue = "q"\nlog_options = ["a:b"]\n\n# big ones\n[profiles.big]\ncpu = 8\n',
    ),
    "sections alone": (
        "[profiles.big]\ncpu = 8\n",
        "",
        'queue = "q"\nlog_options = ["a:b"]\n\n[profiles.big]\ncpu = 8\n',
    ),
    "no new line at the end": ("cpu = 2", "", 'cpu = 2\nqueue = "q"\nlog_options = ["a:b"]\n'),
    "Windows' ends of lines": (
        "cpu = 2\r\n",
        "",
        'cpu = 2\r\nqueue = "q"\r\nlog_options = ["a:b"]\r\n',
    ),
    "a new section": (
        "cpu = 2\n",
        "big",
        'cpu = 2\n\n[profiles.big]\nqueue = "q"\nlog_options = ["a:b"]\n',
    ),
    "a name that must be quoted": (
        "",
        "my team",
        '[profiles."my team"]\nqueue = "q"\nlog_options = ["a:b"]\n',
    ),
    "a section in the middle": (
        'queue = "a"\n[ profiles . big ]  #\nqueue = "old"\n\n[profiles.x]\n',
        "big",
        'queue = "a"\n[ profiles . big ]  #\nqueue = "q"\nlog_options = ["a:b"]\n\n[profiles.x]\n',
    ),
    "the same is said already": (
        'queue = "q"\nlog_options = ["a:b"]\n',
        "",
        'queue = "q"\nlog_options = ["a:b"]\n',
    ),
}


@pytest.mark.parametrize("case", EDITS)
def test_settings_are_written(case: str) -> None:
    """Settings are put where they belong; comments, order and other sections stay."""
    before, profile, after = EDITS[case]

    assert with_settings(before, profile, NEW) == after
    assert with_settings(after, profile, NEW) == after


@pytest.mark.parametrize("case", EDITS)
def test_settings_are_taken_out_again(case: str) -> None:
    """What was written goes, and what was there is as it was, but for spacing."""
    before, profile, after = EDITS[case]
    left = without_settings(after, profile, NEW)

    if "queue" not in settings(before, profile):
        assert left.split() == before.split()
    assert settings(left, profile).keys() & NEW.keys() == set()


def test_what_the_user_changed_stays() -> None:
    """A setting with another value is the user's by now."""
    text = 'queue = "mine"\nlog_options = ["a:b"]\n'

    assert without_settings(text, "", NEW) == 'queue = "mine"\n'


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ('queue = """\nold"""\n', ""),
        ("queue = [\n]\n", ""),
        ('profiles = {big = {queue = "old"}}\n', "big"),
        ('[profiles]\nbig.queue = "old"\n', "big"),
        ('image = """\n[profiles.big]\n"""\n', "big"),
    ],
)
def test_what_cant_be_edited_is_refused(text: str, profile: str) -> None:
    """A file that is written in another way is left alone, and the user told how to write it."""
    with pytest.raises(ConfigurationError, match="can't be edited") as caught:
        with_settings(text, profile, NEW)

    assert "one setting a line" in caught.value.hint


def test_awkward_values_come_back() -> None:
    """Quotes, backslashes and other letters survive."""
    values = {"queue": 'a "b" \\ ü \x7f', "image": "c:\\new"}
    text = with_settings("", "", values)

    assert settings(text, "") == values
    assert without_settings(text, "", values) == ""


def test_a_file_is_replaced_at_once_with_a_copy_of_what_was(tmp_path: Path) -> None:
    """The copy holds the former text; who may read the file stays as it was."""
    path = tmp_path / "home" / "config.toml"

    assert write(path, "cpu = 1\n") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    backup = write(path, "cpu = 2\n")

    assert backup is not None
    assert (backup.read_text(), path.read_text()) == ("cpu = 1\n", "cpu = 2\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(p.name for p in path.parent.iterdir()) == ["config.toml", "config.toml.bak"]


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    """No copy is made, the file is not touched."""
    path = tmp_path / "config.toml"
    path.write_text("cpu = 1\n")
    before = path.stat().st_mtime_ns

    assert write(path, "cpu = 1\n") is None
    assert path.stat().st_mtime_ns == before
    assert [p.name for p in tmp_path.iterdir()] == ["config.toml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """A file that lies elsewhere (dotfiles in a repository) is changed there."""
    real, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text("cpu = 1\n")
    link.symlink_to(real)
    write(link, "cpu = 2\n")

    assert link.is_symlink()
    assert real.read_text() == "cpu = 2\n"


def test_an_empty_file_goes(tmp_path: Path) -> None:
    """What setup alone had written leaves no file behind but the copy."""
    path = tmp_path / "config.toml"
    path.write_text('queue = "q"\n')
    write(path, without_settings(read(path), "", {"queue": "q"}))

    assert [p.name for p in tmp_path.iterdir()] == ["config.toml.bak"]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """It can't be read, so nothing is done to it."""
    path = tmp_path / "config.toml"
    path.write_text("cpu = [")

    with pytest.raises(ConfigurationError, match="config.toml can't be read"):
        read(path)
