"""What is refused before anything is sent, and what is only said."""

from __future__ import annotations

import json
import linecache
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from nbbatch.backends.base import Target
from nbbatch.errors import ImageError, LibraryError, OptionError
from nbbatch.libraries.prefixes import Ask, refusal
from nbbatch.session import current_session
from nbbatch.wire.layers import Libraries
from nbbatch.worker.run.libraries import _unfit
from nbbatch.worker.run.sharing import Shelf
from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.shop import Made, wheel

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
CLASS = "class Thing:\n    value = 7\n"


def sent() -> list[str]:
    """Return what is in the store besides the worker."""
    store = current_session().backend.store
    return [key for key, _, _ in store.list("") if not key.startswith("worker/")]


def test_a_missing_library(notebook: Notebook, kernel: Kernel, bare: str) -> None:
    """With --env image, what the cell imports must be there."""
    kernel.install("tinylib")
    error = notebook.failing("import tinylib", f"--executable {bare} --env image")

    assert isinstance(error, LibraryError)
    assert "tinylib 1.0 is not there: the cell imports it" in error.cause
    assert "--env auto" in error.hint
    assert sent() == []


def test_values_of_another_major_version(
    notebook: Notebook, kernel: Kernel, furnished: Any
) -> None:
    """A pickle of version 2 is not for version 1."""
    kernel.install("tinylib", "2.0", files={"tinylib/__init__.py": CLASS})
    there = furnished(Made("tinylib", "1.9", {"tinylib/__init__.py": CLASS}))
    notebook.run("import tinylib\nthing = tinylib.Thing()")
    error = notebook.failing("v = thing.value", f"--executable {there} --env image")

    assert isinstance(error, LibraryError)
    assert "tinylib is 1.9 there and 2.0 here, and values made by it travel" in error.cause


def test_another_version_that_may_do(
    notebook: Notebook,
    kernel: Kernel,
    furnished: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What only differs is a warning, and not under every cell; it has no line of any file."""
    # In a terminal's IPython our own program is found, as its folder is on the path.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nbbatch").write_text("#!/usr/bin/python\n")
    kernel.install("tinylib", "1.2")
    there = furnished(Made("tinylib", "1.9", {"tinylib/__init__.py": "__version__ = '1.9'\n"}))
    cell, line = "import tinylib\nv = tinylib.__version__", f"--executable {there} --env image"
    with pytest.warns(RuntimeWarning, match="tinylib is 1.9 there and 1.2 here") as said:
        notebook.batch(cell, line)
    assert {linecache.getline(each.filename, 1) for each in said} == {""}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notebook.batch(cell, line)

    assert notebook["v"] == "1.9"


def test_auto_sends_the_version_of_the_kernel(
    notebook: Notebook, kernel: Kernel, furnished: Any
) -> None:
    """What differs is sent, and found before what is there; what is the same is not sent."""
    kernel.install("tinylib", "1.2")
    kernel.install("sharedlib", "3.0")
    there = furnished(
        Made("tinylib", "1.9", {"tinylib/__init__.py": "__version__ = '1.9'\n"}),
        Made("sharedlib", "3.0", {"sharedlib/__init__.py": "__version__ = '3.0'\n"}),
    )
    notebook.batch(
        "import tinylib, sharedlib\n"
        "v = tinylib.__version__, sharedlib.__version__\nw = sharedlib.__file__",
        f"--executable {there}",
    )

    assert notebook["v"] == ("1.2", "3.0")
    assert notebook["w"].startswith(str(Path(there).parent.parent))


def test_none_does_nothing(notebook: Notebook, kernel: Kernel, bare: str) -> None:
    """Neither sent nor compared: the code finds what it finds."""
    kernel.install("tinylib")
    error = notebook.failing("import tinylib", f"--executable {bare} --env none")

    assert isinstance(error, ModuleNotFoundError)


def test_a_library_that_nobody_has(notebook: Notebook, kernel: Kernel, bare: str) -> None:
    """What has no files for the place, and no index has, is refused with the index's words."""
    kernel.install("tinylib", tag="py3-none-manylinux_2_99_x86_64")
    error = notebook.failing("import tinylib", f"--executable {bare}")

    assert isinstance(error, LibraryError)
    assert "tinylib" in error.cause
    assert "--env image" in error.hint
    assert not [key for key in sent() if key.startswith("jobs/")]


def test_the_table(
    notebook: Notebook, kernel: Kernel, bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%batch env` says what would go and why; a dry run says it of the cell."""
    kernel.install("tinylib", files={"tinylib/__init__.py": CLASS})
    notebook.run("import tinylib\nthing = tinylib.Thing()")
    capsys.readouterr()
    notebook.run(f"%batch env --executable {bare}")
    said = capsys.readouterr().out
    notebook.batch("import tinylib", f"--executable {bare} --dry-run")

    assert said.splitlines()[0].startswith(f"{bare}: Python {sys.version_info[0]}.")
    assert "tinylib  1.0  sent" in said
    assert "tinylib  1.0  sent  the cell imports it" in capsys.readouterr().out
    assert sent() == []


def test_the_table_has_what_functions_import_and_what_goes_as_files(
    notebook: Notebook,
    kernel: Kernel,
    bare: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody need have called the function yet; of the notebook's own modules names are enough."""
    kernel.install("tinylib")
    kernel.install("newlib")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "helper.py").write_text("import newlib\n")
    notebook.run("import nbbatch\n@nbbatch.batch\ndef load():\n    import tinylib, helper")
    capsys.readouterr()
    notebook.run(f"%batch env --executable {bare}")
    said = capsys.readouterr().out.splitlines()

    assert said[1:] == [
        "newlib   1.0  sent  helper imports it",
        "tinylib  1.0  sent  load needs it",
        "as files: helper",
    ]


LOCKED = '[[{}]]\nname = "tinylib"\nversion = "2.0"\n[[{}]]\nname = "newlib"\nversion = "0.5"\n'


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("uv.lock", LOCKED.format("package", "package"), "==2.0"),
        ("pylock.toml", LOCKED.format("packages", "packages"), "==2.0"),
        ("requirements.txt", "tinylib==2.0\nnewlib<1\n", "==2.0"),
        ("pyproject.toml", '[project]\ndependencies = ["tinylib>1", "newlib<1"]\n', ">1"),
    ],
)
def test_the_table_and_a_file_beside_the_notebook(
    notebook: Notebook,
    kernel: Kernel,
    bare: str,
    wheels: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    says: str,
) -> None:
    """In what the kernel differs from it stands below; what the kernel lacks comes as it says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    kernel.install("tinylib")
    wheel(Made("newlib", "0.5", {"newlib.py": ""}), wheels)
    notebook.run("import tinylib")
    capsys.readouterr()
    notebook.run(f"%batch env --executable {bare}")
    table = capsys.readouterr().out.splitlines()
    notebook.batch("import tinylib, newlib", f"--executable {bare} --dry-run")
    planned = capsys.readouterr().out.splitlines()
    differs = f"tinylib is 1.0 here, and {name} says {says}: the job gets the kernel's"

    assert table[1:] == ["tinylib  1.0  sent  the notebook's tinylib needs it", differs]
    assert planned[-4:] == [
        f"newlib   0.5  sent, from the index  {name} asks for it",
        "tinylib  1.0  sent                  the cell imports it",
        differs,
        "nothing was sent",
    ]
    assert sent() == []


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ({"url": "https://x/y.git", "vcs_info": {"vcs": "git", "commit_id": "0"}}, "from git"),
        ({"url": "file:///x.whl", "archive_info": {}}, "from a file or an address"),
    ],
)
def test_what_no_index_has(
    notebook: Notebook,
    kernel: Kernel,
    bare: str,
    wheels: Path,
    capsys: pytest.CaptureFixture[str],
    origin: dict[str, Any],
    said: str,
) -> None:
    """A name is no reason to take what somebody else has put under it into an index."""
    made = kernel.install("tinylib", tag="py3-none-manylinux_2_99_x86_64")
    (kernel.site / made.record / "direct_url.json").write_text(json.dumps(origin))
    wheel(Made("tinylib", "1.0", {"tinylib/__init__.py": "print('somebody')\n"}), wheels)
    error = notebook.failing("import tinylib", f"--executable {bare}")
    notebook.batch("import tinylib", f"--executable {bare} --dry-run")

    assert isinstance(error, LibraryError)
    assert said in error.cause
    assert "x.whl" not in str(error)
    assert "tinylib  1.0  refused" in capsys.readouterr().out
    assert sent() == []


def test_what_is_no_requirement(notebook: Notebook, bare: str) -> None:
    """It is named."""
    error = notebook.failing("x = 1", f"--executable {bare} --pypi '=1'")

    assert isinstance(error, OptionError)
    assert "'=1' is none" in error.cause
    assert sent() == []


def test_bytecode_for_a_known_image() -> None:
    """It is refused before anything is sent, and the image to use is named."""
    target = Target("mine", "3.9", "x86_64", "glibc 2.36", known=True)
    found = refusal(Ask(bytecode=True), target)

    assert isinstance(found, ImageError)
    assert "bytecode of the kernel's Python" in found.cause
    assert f"--image python:{HERE}" in found.hint


HAS = {
    "python": "3.11",
    "machine": "x86_64",
    "libc": "glibc 2.36",
    "packages": {"numpy": "1.26.4"},
}


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Libraries(python="3.12"), "for Python 3.12, and the image has 3.11"),
        (Libraries(machine="aarch64"), "for processor aarch64, and the image has x86_64"),
        (Libraries(libc="musl"), "for C library musl, and the image has glibc 2.36"),
        (Libraries(expects={"numpy": "2.0.0"}), "numpy 2.0.0, and has 1.26.4"),
        (Libraries(expects={"pandas": "2.2.0"}), "pandas 2.2.0, and has none"),
        (Libraries(python="3.11", libc="glibc", expects={"numpy": "1.26.4"}), ""),
    ],
)
def test_an_image_that_is_not_as_it_was(wanted: Libraries, why: str) -> None:
    """The job refuses it before it fetches anything; it is then started again with others."""
    assert why in _unfit(wanted, HAS)
    assert bool(_unfit(wanted, HAS)) is bool(why)


@pytest.mark.parametrize("mode", [0o777, 0o720])
def test_a_shared_folder_that_others_may_write_to(tmp_path: Path, mode: int) -> None:
    """Whoever can write there could run code in the job."""
    tmp_path.chmod(mode)
    with pytest.raises(ImageError, match="can't hold libraries"):
        Shelf(str(tmp_path))
    tmp_path.chmod(0o700)

    assert Shelf(str(tmp_path))


def test_what_will_be_so_again_is_not_tried_again(
    notebook: Notebook, kernel: Kernel, bare: str
) -> None:
    """A folder that can hold no libraries holds none the next time either."""
    kernel.install("tinylib")
    (current_session().settings.home / "libraries").write_text("")
    error = notebook.failing("import tinylib", f"--executable {bare}")

    assert isinstance(error, ImageError)
    assert "can't hold libraries" in error.what
    (record,) = current_session().jobs()
    assert record.before == 0
