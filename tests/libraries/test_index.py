"""What the installed files can't do is had from an index: wheels in a folder, here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nbbatch.backends.base import Target
from nbbatch.errors import LibraryError
from nbbatch.libraries.indexes import uv_environment
from nbbatch.libraries.plan import Item, Plan, Way
from nbbatch.libraries.resolving import download
from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.shop import Made, wheel
from tests.servers import Answer, Asked, serve

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def made(version: str, tag: str = "py3-none-any") -> Made:
    """Return a library that says where it comes from."""
    return Made("tinylib", version, {"tinylib/__init__.py": "origin = 'a wheel'\n"}, tag=tag)


def test_from_wheels(notebook: Notebook, kernel: Kernel, bare: str, wheels: Path) -> None:
    """The same version, for the place where the job runs; the second time nobody resolves."""
    kernel.install("tinylib", "1.5", tag="py3-none-manylinux_2_99_x86_64")
    wheel(made("1.5"), wheels)
    wheel(made("1.6"), wheels)
    cell = "import tinylib, importlib.metadata as m\nv = tinylib.origin, m.version('tinylib')"
    notebook.batch(cell, f"--executable {bare}")
    assert notebook["v"] == ("a wheel", "1.5")
    for path in wheels.iterdir():
        path.unlink()
    notebook.batch(cell, f"--executable {bare}")

    assert notebook["v"] == ("a wheel", "1.5")


def test_what_only_the_place_needs(
    notebook: Notebook, kernel: Kernel, bare: str, wheels: Path
) -> None:
    """A requirement that nobody has here is resolved, in the newest version that is allowed."""
    kernel.install("toplib", requires=["tinylib<1.6"])
    wheel(made("1.5"), wheels)
    wheel(made("1.6"), wheels)
    cell = "import toplib, importlib.metadata as m\nv = m.version('tinylib')"
    for _ in range(2):
        notebook.batch(cell, f"--executable {bare}")
        assert notebook["v"] == "1.5"
        for path in wheels.iterdir():
            path.unlink()


def test_pip_tells_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uv has no settings of its own, pip's count: files, then the environment."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text(
        "[global]\nindex-url = https://files.invalid/simple\n"
        f"find-links = {tmp_path} {tmp_path}/none https://links.invalid\n"
        "trusted-host = files.invalid more.invalid\n"
        "[install]\nextra-index-url = https://more.invalid/simple file:///no/such\n"
    )
    plain = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    found = uv_environment(plain)

    assert found["UV_DEFAULT_INDEX"] == "https://files.invalid/simple"
    assert found["UV_INDEX"] == "https://more.invalid/simple"
    assert found["UV_FIND_LINKS"] == f"{tmp_path},https://links.invalid"
    assert found["UV_INSECURE_HOST"] == "files.invalid more.invalid"
    asked = {**plain, "PIP_INDEX_URL": "https://asked.invalid/simple"}
    assert uv_environment(asked)["UV_DEFAULT_INDEX"] == "https://asked.invalid/simple"
    own = {**plain, "UV_INDEX_URL": "https://own.invalid"}
    assert "UV_DEFAULT_INDEX" not in uv_environment(own)
    assert "UV_INDEX" not in uv_environment({**plain, "PIP_CONFIG_FILE": os.devnull})


def test_all_of_pips_indexes_count(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has a library in another version hides it from none of the others."""
    monkeypatch.delenv("UV_CONFIG_FILE")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for version in ("1.0", "2.0"):
        wheel(made(version), tmp_path / version)

    def page(folder: Path) -> str:
        return "".join(
            f'<a href="/{folder.name}/{each.name}">{each.name}</a>' for each in folder.iterdir()
        )

    def answer(asked: Asked) -> Answer:
        name = asked.path.removesuffix("/").removesuffix("/tinylib").lstrip("/")
        path = tmp_path / name
        if path.is_dir():
            return Answer(body=page(path).encode(), headers={"Content-Type": "text/html"})
        return Answer(body=path.read_bytes()) if path.is_file() else Answer(404)

    with serve(answer) as server:
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/1.0")
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{server.url}/2.0")
        got(tmp_path / "made", "tinylib", "1.0")


def got(folder: Path, name: str, version: str, python: str = HERE) -> None:
    """Have a library for Linux on an ordinary processor from the index."""
    folder.mkdir()
    target = Target("an image", python, "x86_64", "glibc 2.36", known=True)
    item = Item(name, version, "the cell imports it", Way.INDEX)
    download([item], [], Plan(target, (item,)), folder, lambda: None)
    assert list((folder / "site").glob(f"{name}-{version}.dist-info"))


def test_no_other_interpreter_is_needed(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor downloaded: where no Python is on the PATH the kernel's own does."""
    wheel(made("1.5"), wheels)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.chdir(tmp_path)

    got(tmp_path / "made", "tinylib", "1.5")


def test_wheels_for_another_kind_of_python(tmp_path: Path, wheels: Path) -> None:
    """What is built for a Python with a global lock does not run on one without."""
    tag = "cp313-cp313-manylinux_2_17_x86_64"
    wheel(made("1.5", tag), wheels)
    with pytest.raises(LibraryError, match="tinylib 1.5 can't be given") as caught:
        got(tmp_path / "made", "tinylib", "1.5", "3.13t")

    assert "Python 3.13t" in caught.value.cause


def test_no_password_is_shown(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even of an address that uv can't read."""
    target = Target("an image", HERE, "x86_64", "glibc 2.36", known=True)
    item = Item("tinylib", "1.0", "the cell imports it", Way.INDEX)
    index = "--index-url http://joe:s3cr[et/1@127.0.0.1:9/simple"
    with pytest.raises(LibraryError) as caught:
        download([item], [], Plan(target, (item,), (index,)), tmp_path, lambda: None)

    assert "127.0.0.1" in str(caught.value)
    assert "s3cr" not in str(caught.value)
    assert "joe" not in str(caught.value)


@pytest.mark.parametrize(
    ("version", "there"), [("1.9.1+here", "2.0"), ("1.9.1rc1", "1.9"), ("1.9.1", None)]
)
def test_what_the_index_lacks_stays(
    notebook: Notebook, kernel: Kernel, bare: str, wheels: Path, version: str, there: str | None
) -> None:
    """What is asked for besides does not change the kernel's versions."""
    kernel.install("tinylib", version, files={"tinylib.py": "origin = 'the kernel'\n"})
    wheel(Made("otherlib", "1.0", {"otherlib.py": ""}, requires=["tinylib>=1"]), wheels)
    if there:
        wheel(made(there), wheels)
    cell = "import tinylib, importlib.metadata as m\nv = tinylib.origin, m.version('tinylib')"
    notebook.batch(cell, f"--executable {bare} --pypi otherlib")

    assert notebook["v"] == ("the kernel", version)
