"""Locks: of what they have for all platforms and Pythons, what counts in one place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nbbatch.backends.base import Target
from nbbatch.libraries.asked import read_file
from nbbatch.libraries.beside import lacking
from nbbatch.libraries.installed import Installed

TARGET = Target("image", "3.12", "x86_64", "glibc 2.36")
#: As uv writes it: the markers stand at the needs, with the versions that differ by place.
UVLOCK = """
version = 1
[[package]]
name = "mine"
version = "0"
source = { virtual = "." }
dependencies = [
    { name = "arrays", version = "1.0", marker = "python_full_version < '3.12'" },
    { name = "arrays", version = "2.0", marker = "python_full_version >= '3.12'" },
    { name = "shell", extra = ["fast"] },
]
[package.dev-dependencies]
dev = [{ name = "tester" }]
[[package]]
name = "arrays"
version = "1.0"
source = { registry = "x" }
resolution-markers = ["python_full_version < '3.12'"]
wheels = [{ url = "u", hash = "sha256:11" }]
[[package]]
name = "arrays"
version = "2.0"
source = { registry = "x" }
resolution-markers = ["python_full_version >= '3.12'"]
wheels = [{ url = "u", hash = "sha256:22" }]
[[package]]
name = "shell"
version = "3"
source = { registry = "x" }
dependencies = [{ name = "winonly", marker = "sys_platform == 'win32'" }]
[package.optional-dependencies]
fast = [{ name = "loop", marker = "sys_platform != 'win32'" }]
slow = [{ name = "never" }]
[[package]]
name = "winonly"
version = "4"
source = { registry = "x" }
dependencies = [{ name = "below" }, { name = "shell" }]
[[package]]
name = "below"
version = "5"
source = { registry = "x" }
[[package]]
name = "loop"
version = "6"
source = { registry = "x" }
[[package]]
name = "tester"
version = "7"
source = { registry = "x" }
dependencies = [{ name = "below", marker = "python_full_version < '3.10'" }]
"""
PYLOCK = """
lock-version = "1.0"
default-groups = ["main"]
[[packages]]
name = "arrays"
version = "1.0"
marker = "python_version < '3.12' and 'main' in dependency_groups"
[[packages]]
name = "arrays"
version = "2.0"
marker = "python_version >= '3.12' and 'main' in dependency_groups"
[[packages]]
name = "tester"
version = "7"
marker = "'dev' in dependency_groups or 'test' in extras"
[[packages]]
name = "old"
version = "1"
marker = "python_version < '3.12'"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Have both locks."""
    (tmp_path / "uv.lock").write_text(UVLOCK)
    (tmp_path / "pylock.toml").write_text(PYLOCK)
    return tmp_path


def found(folder: Path, python: str, *wants: str) -> list[str]:
    """Return what an environment without anything is given for some imports."""
    target = replace(TARGET, python=python)
    asked = lacking(wants, Installed([]), folder, target)
    assert [*asked.reasons.values()] == [f"{asked.file} asks for it"] * len(asked.reasons)
    return sorted(text.partition(";")[0].strip() for text in asked.requirements)


def test_markers_lead_to_packages(folder: Path) -> None:
    """What a marker on the way leaves out, it leaves out with all that only it needs."""
    said = read_file(folder / "uv.lock")
    markers = {text.partition("==")[0]: text.partition(" ; ")[2] for text in said.requirements}

    assert markers["winonly"] == 'sys_platform == "win32"'
    assert markers["below"] == 'python_full_version < "3.10" or sys_platform == "win32"'
    assert markers["loop"] == 'sys_platform != "win32"'
    assert markers["shell"] == markers["tester"] == ""
    assert said.hashes["arrays"] == ("sha256:11", "sha256:22")


@pytest.mark.parametrize(("python", "version"), [("3.11", "1.0"), ("3.12", "2.0")])
def test_one_of_several_versions(folder: Path, python: str, version: str) -> None:
    """Where the job runs, one counts, wherever it stands in the lock."""
    assert found(folder, python, "arrays") == [f"arrays=={version}"]
    # Not the name of a library: all that counts there.
    everything = ["loop==6", "shell==3", "tester==7"]
    assert found(folder, python, "another") == sorted([f"arrays=={version}", *everything])
    (folder / "uv.lock").unlink()
    assert found(folder, python, "arrays") == [f"arrays=={version}"]
    (folder / "pylock.toml").unlink()
    (folder / "requirements.txt").write_text(
        "arrays==2.0; python_version >= '3.12'\narrays==1.0; python_version < '3.12'\n"
    )
    assert found(folder, python, "arrays") == [f"arrays=={version}"]


def test_groups_of_a_lock(folder: Path) -> None:
    """The default ones; markers that no requirement knows are none of a requirement's."""
    said = read_file(folder / "pylock.toml").requirements

    assert not any("dependency_groups" in text or "extras" in text for text in said)
    (folder / "uv.lock").unlink()
    assert found(folder, "3.12", "another") == ["arrays==2.0"]
    assert found(folder, "3.11", "another") == ["arrays==1.0", "old==1"]
