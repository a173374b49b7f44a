"""What is asked for by name: options, decorators, files of requirements, locks."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from nbbatch import batch, pypi
from nbbatch.errors import LibraryError, OptionError
from nbbatch.libraries.asked import read_file
from nbbatch.libraries.beside import beside
from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.shop import Made, wheel

pytestmark = pytest.mark.thorough

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
#: Inside a function: a module that the kernel lacks can't come back.
CELL = """
def look():
    import tinylib
    return tinylib.__version__
v = look()
"""


@pytest.fixture
def shop(wheels: Path) -> Path:
    """Fill the folder of wheels: a library in three versions, and what the last one needs."""
    for version, requires in (("1.0", ()), ("1.5", ()), ("2.0", ["newdep"])):
        text = {"tinylib/__init__.py": f"__version__ = {version!r}\nclass Thing: pass\n"}
        wheel(Made("tinylib", version, text, requires=requires), wheels)
    wheel(Made("newdep", "0.1", {"newdep.py": "__version__ = '0.1'\n"}), wheels)
    return wheels


def test_a_package_that_the_kernel_lacks(notebook: Notebook, shop: Path, bare: str) -> None:
    """It is resolved with what it needs, once."""
    cell = CELL + "from newdep import __version__ as w"
    notebook.batch(cell, f"--executable {bare} --pypi 'tinylib>=1'")
    assert (notebook["v"], notebook["w"]) == ("2.0", "0.1")
    for path in shop.iterdir():
        path.unlink()
    notebook.batch(cell, f"--executable {bare} --pypi 'tinylib>=1'")

    assert (notebook["v"], notebook["w"]) == ("2.0", "0.1")


def test_another_version_than_the_kernels(
    notebook: Notebook, kernel: Kernel, shop: Path, bare: str
) -> None:
    """What is asked for counts, on the kernel's own interpreter too."""
    kernel.install("tinylib", "1.0")
    notebook.batch(CELL, f"--executable {bare} --pypi tinylib=1.5")
    assert notebook["v"] == "1.5"
    notebook.batch(CELL, "--pypi tinylib=1.5")

    assert notebook["v"] == "1.5"


def test_the_decorator(local_session: Any, shop: Path, bare: str) -> None:
    """`@pypi` has Metaflow's arguments."""

    @pypi(packages={"tinylib": "1.5"}, python=HERE)
    @batch(executable=bare)
    def version() -> str:
        import tinylib

        return str(tinylib.__version__)

    assert version.submit().result(60) == "1.5"


def test_values_forbid_another_major_version(
    notebook: Notebook, kernel: Kernel, shop: Path, bare: str
) -> None:
    """A pickle of version 1 is not for version 2, even if that is asked for."""
    kernel.install("tinylib", "1.0", files={"tinylib/__init__.py": "class Thing: pass\n"})
    notebook.run("import tinylib\nthing = tinylib.Thing()")
    error = notebook.failing("x = thing", f"--executable {bare} --pypi tinylib=2.0")

    assert isinstance(error, LibraryError)
    assert "values that travel are made by tinylib 1.0" in error.cause


def test_another_version_that_nobody_named(
    notebook: Notebook, kernel: Kernel, shop: Path, bare: str
) -> None:
    """Where what is asked for needs another than the code has here, that is told."""
    kernel.install("tinylib", "2.0")
    wheel(Made("oldlib", "1.0", {"oldlib.py": ""}, requires=["tinylib<2"]), shop)
    with pytest.warns(RuntimeWarning, match="tinylib is 2.0 here and 1.5 in the job"):
        notebook.batch(CELL, f"--executable {bare} --pypi oldlib")

    assert notebook["v"] == "1.5"


def test_what_contradicts_itself(notebook: Notebook, shop: Path, bare: str) -> None:
    """uv's own words say why."""
    line = f"--executable {bare} --pypi tinylib=1.0 --pypi 'tinylib>1'"
    error = notebook.failing("import tinylib", line)

    assert isinstance(error, LibraryError)
    assert "tinylib" in error.cause


def test_a_file_of_requirements(notebook: Notebook, shop: Path, bare: str, tmp_path: Path) -> None:
    """`--requirements` takes it by its path."""
    path = tmp_path / "reqs.txt"
    path.write_text("# what it needs\ntinylib < 2  # not yet\n--no-binary :none:\n")
    notebook.batch(CELL, f"--executable {bare} --requirements {path}")

    assert notebook["v"] == "1.5"


def test_a_lock_beside_the_notebook(
    notebook: Notebook, shop: Path, bare: str, beside_it: Path
) -> None:
    """What the kernel lacks comes as the lock has it."""
    (beside_it / "uv.lock").write_text(
        'version = 1\n[[package]]\nname = "mine"\nversion = "0"\nsource = { editable = "." }\n'
        '[[package]]\nname = "tinylib"\nversion = "1.0"\nsource = { registry = "x" }\n'
    )
    notebook.batch(CELL, f"--executable {bare}")

    assert notebook["v"] == "1.0"


def test_a_lock_pins_what_it_brings_too(
    notebook: Notebook, shop: Path, bare: str, beside_it: Path
) -> None:
    """What a missing library needs comes in the lock's version, not in the newest."""
    wheel(Made("newdep", "0.2", {"newdep.py": "__version__ = '0.2'\n"}), shop)
    (beside_it / "requirements.txt").write_text("./own.whl\ntinylib==2.0\nnewdep==0.1\n")
    notebook.batch(CELL + "from newdep import __version__ as w", f"--executable {bare}")

    assert (notebook["v"], notebook["w"]) == ("2.0", "0.1")


@pytest.fixture
def beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the notebook in a folder of its own."""
    folder = tmp_path / "beside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("uv.lock", '[[package]]\nname = "tinylib"\nversion = "1.5"\n', "uv.lock says ==1.5"),
        ("pylock.toml", '[[packages]]\nname = "tinylib"\nversion = "2"\n', "pylock.toml says ==2"),
        ("requirements.txt", "tinylib>1,<3\n", "requirements.txt says <3,>1"),
        (
            "pyproject.toml",
            '[project]\ndependencies = ["tinylib~=2.0"]',
            "pyproject.toml says ~=2.0",
        ),
    ],
)
def test_the_kernel_counts_and_the_lock_is_told(
    notebook: Notebook, kernel: Kernel, bare: str, beside_it: Path, name: str, text: str, says: str
) -> None:
    """Its version runs in the job; in what the file differs is said, once, and in the table."""
    kernel.install("tinylib", "1.0")
    (beside_it / name).write_text(text)
    with pytest.warns(RuntimeWarning, match="tinylib is 1.0 here, and ") as warned:
        notebook.batch(CELL, f"--executable {bare}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notebook.batch(CELL, f"--executable {bare}")

    assert notebook["v"] == "1.0"
    assert any(says in str(each.message) for each in warned)


def test_a_lock_for_another_python_brings_nothing(
    notebook: Notebook, kernel: Kernel, bare: str, beside_it: Path
) -> None:
    """What is missing and not for here is the code's own affair, which may ask for it in vain."""
    kernel.install("tinylib", "1.0")
    (beside_it / "requirements.txt").write_text("backport; python_version < '3'\n")
    code = "import tinylib\ntry:\n    import backport\nexcept ImportError:\n    v = 'without'"
    notebook.batch(code, f"--executable {bare}")

    assert notebook["v"] == "without"


@pytest.mark.parametrize("text", ["tinylib>=1", "tinylib==9; python_version < '3'", "other==3"])
def test_a_lock_that_agrees_says_nothing(
    notebook: Notebook, kernel: Kernel, bare: str, beside_it: Path, text: str
) -> None:
    """Neither does one for another Python."""
    kernel.install("tinylib", "1.0")
    (beside_it / "requirements.txt").write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notebook.batch(CELL, f"--executable {bare}")

    assert notebook["v"] == "1.0"


def test_a_lock_that_is_broken(
    notebook: Notebook, kernel: Kernel, bare: str, beside_it: Path
) -> None:
    """It does not keep a job from what the kernel has; without it, what is missing is refused."""
    kernel.install("otherlib", "1.0")
    (beside_it / "uv.lock").write_text("[[package")
    with pytest.warns(RuntimeWarning, match=r"uv\.lock can't be read"):
        notebook.batch("import otherlib\nv = otherlib.__version__", f"--executable {bare}")
    error = notebook.failing(CELL, f"--executable {bare}")

    assert notebook["v"] == "1.0"
    assert isinstance(error, LibraryError)
    assert "uv.lock" in str(error)


LOCK = (
    '[[package]]\nname = "A.b"\nversion = "1"\nsource = {registry = "x"}\n'
    '[[package]]\nname = "c"\nversion = "2"\nsource = {virtual = "."}\n'
)
PYLOCK = (
    '[[packages]]\nname = "a"\nversion = "1"\nmarker = "sys_platform == \'linux\'"\n'
    '[[packages]]\nname = "b"\n[packages.directory]\npath = "."\n'
)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("uv.lock", LOCK, ["A.b==1"]),
        ("pylock.toml", PYLOCK, ['a==1 ; sys_platform == "linux"']),
        (
            "requirements.txt",
            "a>=1 \\\n  --hash=sha256:00\n-i somewhere\n# no\nb[x] ; python_version > '3' # yes\n",
            ["a>=1", "b[x] ; python_version > '3'"],
        ),
        ("pyproject.toml", '[project]\nname = "p"\ndependencies = ["a~=1.0"]\n', ["a~=1.0"]),
    ],
)
def test_files_are_read(tmp_path: Path, name: str, text: str, found: list[str]) -> None:
    """Each kind, by its name; what is the user's own is no library."""
    (tmp_path / name).write_text(text)

    assert [each.strip() for each in read_file(tmp_path / name).requirements] == found
    assert beside(tmp_path).requirements == read_file(tmp_path / name).requirements


@pytest.mark.parametrize("text", ["[[package", "package = 3", '[project]\ndependencies = ["!"]'])
def test_files_that_are_broken(tmp_path: Path, text: str) -> None:
    """The path is in the message."""
    (tmp_path / "pyproject.toml").write_text(text)
    if text != "package = 3":
        with pytest.raises(LibraryError, match="pyproject.toml"):
            read_file(tmp_path / "pyproject.toml")
    with pytest.raises(LibraryError, match="none.txt"):
        read_file(tmp_path / "none.txt")


def test_a_python_that_is_not_here(notebook: Notebook) -> None:
    """The error says what to do."""
    error = notebook.failing("x = 1", "--python 3.99")

    assert isinstance(error, OptionError)
    assert "--executable" in error.hint
