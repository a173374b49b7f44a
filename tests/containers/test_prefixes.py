"""Interpreters and conda environments on an image with a Python of its own, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from nbbatch.session import current_session
from tests.containers.rig import Rig
from tests.containers.test_round_trip import account, same_python, settings
from tests.libraries.channel import write
from tests.libraries.interpreters import Shipped, shipped, standalone
from tests.libraries.test_conda import NATIVE, plain, python
from tests.worker.pythons import HERE, pythons

__all__ = ["account", "settings"]

OTHER = next((v for v in ("3.12", "3.13", "3.10") if v != HERE and v in pythons()), "")
pytestmark = [
    pytest.mark.containers,
    same_python,
    pytest.mark.skipif(not OTHER, reason="needs a second Python on this machine"),
    pytest.mark.skipif(not shutil.which("gcc"), reason="needs a compiler on this machine"),
]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    """Return another interpreter, one that runs wherever it is put."""
    return shipped(pythons()[OTHER], tmp_path_factory.mktemp("launcher"))


def sent() -> set[str]:
    """Return the objects of libraries in the store."""
    current_session().supply.settle()
    return {key for key, _, _ in current_session().backend.store.list("layers/")}


def test_a_python_that_the_image_lacks(
    account: Rig, shell: Any, other: Shipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first job finds out and starts again with it; the second sends nothing."""
    told = standalone(other, tmp_path, os.uname().machine)
    (tmp_path / "downloads.json").write_text(json.dumps(told))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(tmp_path / "downloads.json"))
    monkeypatch.chdir(tmp_path)
    shell.run_cell("text = 'from here'")
    cell = (
        f"%%batch --memory 1G --python {OTHER}\n"
        "import json, six, subprocess, sys\n"
        "prefix, minor, text = sys.prefix, '%d.%d' % sys.version_info[:2], text.upper()\n"
        "program = subprocess.run(['python', '-V'], capture_output=True, text=True).stdout\n"
        "library = six.__version__"
    )
    shell.run_cell(cell).raise_error()
    found = {name: shell.user_ns[name] for name in ("minor", "text", "program", "library")}
    import six

    assert found == {
        "minor": OTHER,
        "text": "FROM HERE",
        "program": f"Python {other.version}\n",
        "library": six.__version__,
    }
    assert "nbbatch-libraries" in shell.user_ns["prefix"]
    before = sent()
    shell.run_cell(cell).raise_error()

    assert shell.user_ns["minor"] == OTHER
    assert sent() == before


def test_a_conda_environment(
    account: Rig, shell: Any, other: Shipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Python, its libraries and programs: as conda would have installed them there.

    A function that another Python has made stays there, and that is said.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "rattler"))
    write(tmp_path / "channel", [python(other), NATIVE, plain("tiny", "1.0")])
    with pytest.warns(RuntimeWarning, match=f"look is bytecode of Python {OTHER}"):
        shell.run_cell(
            f"%%batch --memory 1G --conda tiny --conda native --python {OTHER} "
            f"--conda-channels {tmp_path / 'channel'}\n"
            "import os, pathlib, subprocess, sys\n"
            "def look():\n"
            "    import tiny\n"
            "    return tiny.__version__\n"
            "version, minor, prefix = look(), '%d.%d' % sys.version_info[:2], sys.prefix\n"
            "home = pathlib.Path(os.environ['NATIVE_DATA'], 'home.txt').read_text()\n"
            "program = subprocess.run(['native'], capture_output=True, text=True).stdout.strip()"
        ).raise_error()
    found = shell.user_ns

    assert (found["version"], found["minor"]) == ("1.0", OTHER)
    assert found["prefix"] != sys.prefix
    assert (found["home"], found["program"]) == (f"{found['prefix']}/share", found["prefix"])
