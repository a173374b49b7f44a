"""Files of requirements as pip reads them: hashes, constraints, indexes, what lies elsewhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from nbbatch.errors import LibraryError
from nbbatch.libraries.asked import read_file, requested
from nbbatch.session import current_session
from nbbatch.supply import said_in
from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.shop import Made, wheel

CELL = """
def look():
    import tinylib
    return tinylib.__version__
v = look()
"""
BOTH = "tinylib --hash=sha256:{} --hash=sha256:{}\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing beside the notebook."""
    monkeypatch.chdir(tmp_path)


def made(folder: Path, version: str = "1.5") -> Path:
    """Put a wheel of a library into a folder."""
    text = f"__version__ = {version!r}\n"
    return wheel(Made("tinylib", version, {"tinylib.py": text}), folder)


def test_all_that_a_file_may_say(tmp_path: Path) -> None:
    """Files that it names count from where they are; circles end; paths are whole."""
    below = tmp_path / "below"
    below.mkdir()
    (below / "more.txt").write_text("-r ../all.txt\nb>=2\n--find-links=shop\n")
    (below / "limits.txt").write_text("c<3 --hash=sha256:00  # not yet\n")
    (tmp_path / "all.txt").write_text(
        "-r below/more.txt\n-c below/limits.txt\n-i https://one/simple\n--no-index\n--pre\n"
        "a[x]==1 ; python_version > '3' \\\n    --hash=sha256:11 \\\n    --hash=sha256:22 # both\n"
    )
    asked = read_file(tmp_path / "all.txt")

    assert asked.requirements == ("b>=2", "a[x]==1 ; python_version > '3'")
    assert asked.limits == ("c<3",)
    places = [f"--find-links {below}/shop", "--index-url https://one/simple", "--no-index"]
    assert list(asked.indexes) == places
    assert asked.hashes["a"] == ("sha256:11", "sha256:22")


def test_hashes_of_locks(tmp_path: Path) -> None:
    """Those of the wheels; what a lock has from elsewhere is not looked for in an index."""
    (tmp_path / "uv.lock").write_text(
        '[[package]]\nname = "a"\nversion = "1"\nsource = { registry = "x" }\n'
        'wheels = [{ url = "u", hash = "sha256:11" }]\n'
        '[[package]]\nname = "private"\nversion = "1"\nsource = { git = "https://x/y.git" }\n'
    )
    (tmp_path / "pylock.toml").write_text(
        '[[packages]]\nname = "a"\nversion = "1"\nwheels = [{ hashes = { sha256 = "22" } }]\n'
        '[[packages]]\nname = "private"\nversion = "1"\nvcs = { type = "git" }\n'
    )
    found = [read_file(tmp_path / name) for name in ("uv.lock", "pylock.toml")]

    assert [asked.requirements for asked in found] == [("a==1",), ("a==1",)]
    assert [asked.hashes["a"] for asked in found] == [("sha256:11",), ("sha256:22",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_how_a_file_is_written(tmp_path: Path, encoding: str) -> None:
    """Editors and shells of other systems put a mark before the text, or end lines otherwise."""
    path = tmp_path / "requirements.txt"
    path.write_text("a==1\r\nb \\\r\n  --config-settings x=y\r\n", encoding, newline="")
    (tmp_path / "pylock.toml").write_text('[[packages]]\nname = "a"\nversion = "1"', encoding)

    assert read_file(path).requirements == ("a==1", "b")
    assert read_file(tmp_path / "pylock.toml").requirements == ("a==1",)
    path.write_bytes(b"a==1 # caf\xe9\n")
    assert read_file(path).requirements == ("a==1",)


def test_the_line_that_is_wrong(tmp_path: Path) -> None:
    """Also that of a file which another names, below lines that go on."""
    (tmp_path / "all.txt").write_text("# all\n-r more.txt\n")
    (tmp_path / "more.txt").write_text("a==1 \\\n  --hash=sha256:00\n\nb==\n")
    with pytest.raises(LibraryError, match=r"all\.txt can't be read") as caught:
        read_file(tmp_path / "all.txt")

    assert f"line 4 of {tmp_path}/more.txt: 'b=='" in caught.value.cause


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[project]\ndynamic = ["dependencies"]', "dynamic"),
        ('[tool.poetry.dependencies]\na = "1"', "no list of texts as dependencies"),
        ('[project]\ndependencies = "array"', "no list of texts as dependencies"),
        ('[project]\ndependencies = ["array", 3]', "no list of texts as dependencies"),
    ],
)
def test_a_project_that_says_nothing(tmp_path: Path, text: str, says: str) -> None:
    """Whoever asks for it is told; beside a notebook it may be there for something else."""
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    with pytest.raises(LibraryError, match=r"pyproject\.toml") as caught:
        read_file(path)

    assert says in caught.value.cause
    if "[project]\ndependencies" not in text:
        assert read_file(path, lenient=True).requirements == ()


def test_what_a_project_has_from_elsewhere(tmp_path: Path, kernel: Kernel) -> None:
    """An index may have something else under that name, by somebody."""
    path = tmp_path / "pyproject.toml"
    path.write_text(
        '[project]\ndependencies = ["a", "Tiny_lib>1", "c"]\n'
        '[tool.uv.sources]\ntiny-lib = { workspace = true }\nc = [{ index = "own" }]\n'
    )
    with pytest.raises(LibraryError, match="Tiny_lib @ file:"):
        read_file(path)
    kernel.install("tiny-lib")

    assert read_file(path).requirements == ("a", "c")


def test_no_password_is_shown(tmp_path: Path) -> None:
    """An address in a file may have one; what is raised is saved with the notebook."""
    path = tmp_path / "requirements.txt"
    for line in ("git+https://me:secret@x/y.git", "a = https://secret@x/y 1"):
        path.write_text(line)
        with pytest.raises(LibraryError) as caught:
            read_file(path)
        assert "secret" not in str(caught.value)
        assert "x/y" in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "-e ./project",
        "-e project",
        "project",
        "tinylib @ git+https://x/y.git",
        "git+https://x/y.git#egg=tinylib",
        "https://x/tinylib-1.5-py3-none-any.whl",
    ],
)
def test_what_is_in_no_index(tmp_path: Path, kernel: Kernel, line: str) -> None:
    """Where it is installed here it goes along anyway; else it is refused, whoever asks."""
    path = tmp_path / "requirements.txt"
    path.write_text(f"{line}\n" if line != "project" else f"{tmp_path}/project[x]\n")
    with pytest.raises(LibraryError, match=r"requirements.txt asks for it") as caught:
        read_file(path)
    assert "not installed here" in caught.value.cause
    assert "%pip install" in caught.value.hint
    assert read_file(path, lenient=True).requirements == ()

    installed = kernel.install("tinylib")
    origin = {"url": (tmp_path / "project").as_uri(), "dir_info": {"editable": True}}
    (kernel.site / installed.record / "direct_url.json").write_text(json.dumps(origin))
    assert read_file(path).requirements == ()


def test_an_address_by_name(kernel: Kernel) -> None:
    """The option too."""
    with pytest.raises(LibraryError, match="--pypi asks for it"):
        requested(["tinylib @ git+https://x/y.git"])
    kernel.install("tinylib")

    assert requested(["tinylib @ git+https://x/y.git", "other>1"]).requirements == ("other>1",)


@pytest.mark.thorough
def test_hashes_are_checked(notebook: Notebook, wheels: Path, bare: str, tmp_path: Path) -> None:
    """What is not what the file says is refused, though it was sent before without being asked."""
    digest = hashlib.sha256(made(wheels).read_bytes()).hexdigest()
    line = f"--executable {bare}"
    notebook.batch(CELL, f"{line} --pypi tinylib")
    path = tmp_path / "hashed.txt"
    path.write_text(BOTH.format("0" * 64, "1" * 64))
    error = notebook.failing(CELL, f"{line} --requirements {path}")
    path.write_text(BOTH.format("0" * 64, digest))
    notebook.batch(CELL, f"{line} --requirements {path}")

    assert isinstance(error, LibraryError)
    assert "Hash mismatch" in error.cause
    assert notebook["v"] == "1.5"


@pytest.mark.thorough
def test_a_file_and_packages_together(
    notebook: Notebook, wheels: Path, bare: str, tmp_path: Path
) -> None:
    """What the option brings keeps to the file, though it would work with a newer one."""
    for version in ("1.5", "2.0"):
        made(wheels, version)
    wheel(Made("taker", "1.0", {"taker.py": ""}, requires=["tinylib"]), wheels)
    (tmp_path / "all.txt").write_text("tinylib==1.5\n")
    line = f"--executable {bare} --requirements all.txt"
    notebook.batch(CELL, f"{line} --pypi taker")
    assert notebook["v"] == "1.5"
    notebook.batch(CELL, f"{line} --pypi tinylib=2.0")

    assert notebook["v"] == "2.0"


@pytest.mark.thorough
def test_a_file_beside_names_others(
    notebook: Notebook, wheels: Path, bare: str, tmp_path: Path
) -> None:
    """One of these may change while the first stays as it is."""
    for version in ("1.5", "2.0"):
        made(wheels, version)
    (tmp_path / "requirements.txt").write_text("-r base.txt\n")
    for version in ("1.5", "2.0"):
        (tmp_path / "base.txt").write_text(f"tinylib=={version}\n")
        notebook.batch(CELL, f"--executable {bare}")
        assert notebook["v"] == version


@pytest.mark.thorough
def test_a_project_of_uvs_wants_other_output(
    notebook: Notebook, wheels: Path, bare: str, tmp_path: Path
) -> None:
    """What uv is told for somebody's own files does not count for what is read here."""
    made(wheels)
    with (tmp_path / "uv.toml").open("a") as configuration:
        configuration.write("[pip]\ngenerate-hashes = true\nno-strip-extras = true\n")
        configuration.write("universal = true\n")
    notebook.batch(CELL, f"--executable {bare} --pypi 'tinylib[more]'")

    assert notebook["v"] == "1.5"


@pytest.mark.thorough
def test_constraints_and_places(
    notebook: Notebook, wheels: Path, bare: str, tmp_path: Path
) -> None:
    """A constraint holds a version back; a folder that the file names is looked into."""
    made(wheels, "2.0")
    made(tmp_path / "ownshop", "1.7")
    (tmp_path / "limits.txt").write_text("tinylib<2\n")
    path = tmp_path / "all.txt"
    path.write_text("tinylib\n-c limits.txt\n--find-links ownshop\n")
    notebook.batch(CELL, f"--executable {bare} --requirements {path}")

    assert notebook["v"] == "1.7"
    # An address may have a password in it.
    kept = (current_session().settings.home / "cache" / "layers.json").read_text()
    assert "ownshop" not in kept


def test_a_dry_run_says_what_is_asked_for(
    notebook: Notebook, wheels: Path, bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the code imports nothing."""
    made(wheels)
    notebook.batch("x = 1", f"--executable {bare} --pypi tinylib --dry-run")

    assert "tinylib  1.5  sent, from the index  --pypi asks for it" in capsys.readouterr().out


def test_the_cache_knows_all_files(tmp_path: Path) -> None:
    """A change of a file that is named in another counts; one of a comment does not."""
    (tmp_path / "all.txt").write_text("-r more.txt\na\n")
    (tmp_path / "more.txt").write_text("b==1\n")
    before = said_in("all.txt")
    (tmp_path / "more.txt").write_text("b==1  # as ever\n")
    same = said_in("all.txt")
    (tmp_path / "more.txt").write_text("b==2\n")

    assert said_in(None) == ""
    assert before == same
    assert before != said_in("all.txt")
