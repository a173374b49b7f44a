"""`--conda` and `@conda`: environments of real packages, from a channel that the tests make."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbbatch import batch, conda, configure
from nbbatch.backends.base import Target
from nbbatch.errors import LibraryError, OptionError
from nbbatch.libraries.conda.solving import subdir
from nbbatch.session import current_session
from tests.libraries.channel import BUILT, Made, served, write
from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.interpreters import Shipped

pytestmark = pytest.mark.thorough

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
INFO = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n"


def plain(name: str, version: str, **facts: Any) -> Made:
    """Return a package of plain Python, with one module that knows its version."""
    record = f"site-packages/{name}-{version}.dist-info/METADATA"
    files = {
        f"site-packages/{name}/__init__.py": f"__version__ = {version!r}\n".encode(),
        f"site-packages/{name}/cli.py": b"def main():\n    print('the program ran')\n",
        record: INFO.format(name, version).encode(),
        f"python-scripts/{name}-old": b"#!/bin/sh\necho the script ran\n",
    }
    return Made(name, version, files, depends=["python >=3.9"], noarch="python", **facts)


def python(own: Shipped) -> Made:
    """Return a package of a real interpreter."""
    return Made("python", own.version, own.files, own.links)


NATIVE = Made(
    "native",
    "2.0",
    {
        "lib/libnative.so.2": b"\x7fELF..." + BUILT.encode() + b"/share/native\0tail",
        "bin/native": f"#!{BUILT}/bin/python\nimport sys\nprint(sys.prefix)\n".encode(),
        "share/native/home.txt": f"{BUILT}/share".encode(),
        "etc/conda/activate.d/native.sh": b'export NATIVE_DATA="$CONDA_PREFIX/share/native"\n',
    },
    {"lib/libnative.so": "libnative.so.2"},
    placed={
        "lib/libnative.so.2": "binary",
        "bin/native": "text",
        "share/native/home.txt": "text",
    },
)


#: Of the newer kind, and with a script that conda would run.
NEW = Made(
    "newer",
    "3.0",
    {
        "share/newer/data.bin": bytes(range(256)) * 1000,
        "bin/.newer-post-link.sh": b"#!/bin/sh\ntouch $PREFIX/ran\n",
    },
    {"share/newer/link": "data.bin"},
    new=True,
)
ON_GPUS = Made("on-gpus", depends=["__cuda >=12"])


@pytest.fixture(scope="session")
def channel(own: Shipped, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Serve a channel: an interpreter, a native package, plain Python, one of the newer kind."""
    folder = tmp_path_factory.mktemp("channel")
    tiny = [plain("tiny", v, entry_points=["tinyprog = tiny.cli:main"]) for v in ("1.0", "2.0")]
    write(folder, [python(own), NATIVE, NEW, ON_GPUS, *tiny])
    with served(folder) as told:
        yield told


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing beside the notebook, and no cache of rattler's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "rattler"))


def layers() -> set[str]:
    """Return the objects of libraries in the store."""
    current_session().supply.settle()
    return {key for key, _, _ in current_session().backend.store.list("layers/")}


CELL = """
import os, pathlib, subprocess, sys
def look():
    import tiny
    return tiny.__version__, tiny.__file__
def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
version, place = look()
prefix, minor = sys.prefix, "%d.%d" % sys.version_info[:2]
data = os.environ["NATIVE_DATA"]
home = pathlib.Path(data, "home.txt").read_text()
library = pathlib.Path(prefix, "lib", "libnative.so").read_bytes()
programs = [said("tinyprog"), said("tiny-old"), said("native")]
import ownlib
own = ownlib.__version__
"""


def test_an_environment(notebook: Notebook, kernel: Kernel, channel: Any) -> None:
    """Its interpreter runs the cell, its programs are found; what it lacks is the kernel's."""
    kernel.install("ownlib", "3.0")
    address, asked = channel
    line = f"--conda tiny=1 --conda native --conda-channels {address}"
    notebook.batch(CELL, line)
    prefix = notebook["prefix"]

    assert prefix.startswith(os.environ["NBBATCH_HOME"])
    assert (notebook["version"], notebook["minor"], notebook["own"]) == ("1.0", HERE, "3.0")
    assert notebook["place"].startswith(prefix)
    assert notebook["data"] == f"{prefix}/share/native"
    assert notebook["home"] == f"{prefix}/share"
    size = len(NATIVE.files["lib/libnative.so.2"])
    assert f"{prefix}/share/native\0".encode() in notebook["library"]
    assert (len(notebook["library"]), notebook["library"][-4:]) == (size, b"tail")
    assert notebook["programs"] == ["the program ran", "the script ran", prefix]
    sent = layers()
    asked.clear()
    notebook.batch(CELL, line)
    assert (notebook["prefix"], layers(), asked) == (prefix, sent, [])


def test_packages_of_the_newer_kind(
    notebook: Notebook, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are unpacked here: the job needs no Zstandard. What conda would run is not, and said."""
    # The channels of conda's own variable count where the line names none.
    monkeypatch.setenv("CONDA_CHANNELS", channel[0])
    configure()
    cell = (
        "import os, sys\n"
        "data = open(f'{sys.prefix}/share/newer/link', 'rb').read()\n"
        "ran = os.path.exists(f'{sys.prefix}/ran')"
    )
    with pytest.warns(RuntimeWarning, match=r"newer 3\.0 has a script .* it is not run"):
        notebook.batch(cell, "--conda newer")

    assert notebook["data"] == NEW.files["share/newer/data.bin"]
    assert notebook["ran"] is False


def test_what_needs_cuda(
    notebook: Notebook, channel: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job with GPUs has it, in the version that conda's own variable says; another has none."""
    line = f"%batch env --conda on-gpus --conda-channels {channel[0]}"
    notebook.run(f"{line} --gpu 1")
    assert "2 packages of conda's go along" in capsys.readouterr().out
    with pytest.raises(LibraryError) as without:
        notebook.run(line)
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "11.8")
    with pytest.raises(LibraryError) as older:
        notebook.run(f"{line} --gpu 1")

    assert "__cuda" in without.value.cause
    assert "--gpu" in without.value.hint
    assert "__cuda" in older.value.cause


def test_the_decorator(local_session: Any, channel: Any) -> None:
    """Functions too: the environment has the Python that they were compiled by."""

    @conda(packages={"tiny": ">=2"}, channels=channel[0])
    @batch
    def look() -> Any:
        import sys

        import tiny

        return tiny.__version__, sys.prefix == sys.base_prefix, sys.version_info[:2]

    assert look.submit().result(120) == ("2.0", True, sys.version_info[:2])


def test_functions_forbid_another_python(local_session: Any, channel: Any) -> None:
    """Bytecode of one runs on no other."""

    @conda(packages=["tiny"], python="3.99", channels=channel[0])
    @batch
    def look() -> int:
        return 1

    with pytest.raises(OptionError, match="functions travel as bytecode"):
        look.submit()


def test_it_is_shown_before(notebook: Notebook, channel: Any, capsys: Any) -> None:
    """`%batch env` says what would go along."""
    notebook.run(f"%batch env --conda tiny --conda-channels {channel[0]}")
    said = capsys.readouterr().out

    assert "2 packages of conda's go along" in said
    assert "--conda asks for tiny" in said
    assert layers() == set()


def test_what_cannot_be_resolved(notebook: Notebook, channel: Any) -> None:
    """The solver's own words say why."""
    error = notebook.failing("x = 1", f"--conda 'tiny>5' --conda-channels {channel[0]}")

    assert isinstance(error, LibraryError)
    assert "tiny >5" in error.cause
    assert "--conda-channels" in error.hint


def test_without_rattler(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is optional: the error says how to have it."""
    monkeypatch.setitem(sys.modules, "rattler", None)
    error = notebook.failing("x = 1", "--conda tiny")

    assert isinstance(error, LibraryError)
    assert "nbbatch[conda]" in error.hint


def test_values_forbid_another_major_version(
    notebook: Notebook, kernel: Kernel, channel: Any
) -> None:
    """A pickle of version 1 is not for an environment with version 2."""
    kernel.install("tiny", "1.0", files={"tiny/__init__.py": "class Thing: pass\n"})
    notebook.run("import tiny\nthing = tiny.Thing()")
    line = f"--conda tiny=2 --conda-channels {channel[0]}"
    error = notebook.failing("x = thing", line)

    assert isinstance(error, LibraryError)
    assert "values that travel are made by tiny 1.0" in error.cause


def test_no_environment_for_musl() -> None:
    """Conda's packages are for glibc; the error says what to do."""
    with pytest.raises(LibraryError, match="slim"):
        subdir(Target("python:3.11-alpine", "3.11", "x86_64", "musl"))
