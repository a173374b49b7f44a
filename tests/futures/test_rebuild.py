"""Exceptions of a job as they are shown here."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import NamedTuple

import pytest

from nbbatch.futures.returning.rebuild import rebuild
from nbbatch.wire.spec import Failure

TEXT = "def f():\n    raise ValueError('no')\n"


class Site(NamedTuple):
    """A folder on the path, and the same file as a job had it somewhere else."""

    file: Path
    there: str


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Give this process a library of one file."""
    file = tmp_path / "site-packages" / "tinylib" / "deep.py"
    file.parent.mkdir(parents=True)
    file.write_text(TEXT)
    monkeypatch.syspath_prepend(str(file.parents[1]))
    # As in a kernel.
    monkeypatch.syspath_prepend("")
    return Site(file, str(tmp_path / "of-a-job" / "tinylib" / "deep.py"))


def file_of(there: str, line: str) -> str:
    """Return the file that a traceback names."""
    failure = Failure("ValueError", "no", ((there, 2, "f", line, 1),))
    error = rebuild([failure], {0: ValueError("no")}, "job")
    (entry,) = traceback.extract_tb(error.__traceback__)
    return entry.filename


def test_lines_of_libraries(site: Site) -> None:
    """A file that only the job had is shown as the kernel's own, with its lines."""
    assert file_of(site.there, "    raise ValueError('no')") == str(site.file)


def test_lines_of_another_version(site: Site) -> None:
    """No line is shown that the job did not run."""
    assert file_of(site.there, "    raise ValueError('yes')") == site.there
    assert file_of(site.there, "") == site.there


def notes_on(error: BaseException) -> str:
    """Return what is said below an exception."""
    found = rebuild([Failure(type(error).__name__, str(error))], {0: error}, "job")
    return "\n".join(getattr(found, "__notes__", ()))


def test_a_module_that_the_job_lacks(site: Site) -> None:
    """It says what to type, here and there."""
    said = "No module named 'tinylib'"
    assert "--env auto" in notes_on(ModuleNotFoundError(said, name="tinylib"))
    assert "--pypi" in notes_on(ModuleNotFoundError("", name="no_such_library"))
    assert notes_on(ModuleNotFoundError("", name="tinylib.no_such_module")) == ""
    assert notes_on(ModuleNotFoundError("by hand")) == ""
