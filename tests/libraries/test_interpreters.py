"""Another Python than there is goes along as a layer; where none can be had, the error says so."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nbbatch import batch
from nbbatch.backends.base import Target
from nbbatch.backends.local import environments
from nbbatch.errors import ImageError, OptionError
from nbbatch.libraries.compiling import Source, compile_all
from nbbatch.session import current_session
from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.interpreters import Shipped, shipped, standalone
from tests.worker.pythons import HERE, pythons

pytestmark = pytest.mark.thorough

OTHER = next((v for v in ("3.12", "3.10", "3.13", "3.9") if v != HERE and v in pythons()), "")
needs_other = pytest.mark.skipif(not OTHER, reason="needs a second Python on this machine")


@pytest.fixture(scope="session")
def offered(own: Shipped, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write what uv is to take for the list of all downloads there are: one."""
    folder = tmp_path_factory.mktemp("downloads")
    told = standalone(own, folder, os.uname().machine)
    path = folder / "downloads.json"
    path.write_text(json.dumps(told))
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing beside the notebook."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def downloads(offered: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have uv know of that download only, of which little is compiled: all of it takes long."""
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(offered))

    def compiled(sources: Sequence[Source]) -> None:
        compile_all([source for source in sources if source.path.parent.name == "json"])

    monkeypatch.setattr("nbbatch.libraries.interpreters.compile_all", compiled)
    return offered


@pytest.fixture
def none_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have uv know of no download."""
    path = tmp_path / "none.json"
    path.write_text("{}")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(path))


def layers() -> set[str]:
    """Return the objects of libraries in the store."""
    current_session().supply.settle()
    return {key for key, _, _ in current_session().backend.store.list("layers/")}


def made_here(executable: str, **options: Any) -> Any:
    """Return a function that travels as bytecode: it is of no module."""

    @batch(executable=executable, **options)
    def facts() -> dict[str, Any]:
        import json
        import os
        import subprocess
        import sys

        import tinylib

        program = subprocess.run(["python3", "--version"], capture_output=True, text=True).stdout
        return {
            "version": tuple(sys.version_info[:2]),
            "prefix": sys.prefix,
            "program": program.split()[1].rpartition(".")[0],
            "argv": len(sys.argv),
            "library": tinylib.__version__,
            "key": [name for name in os.environ if "KEY" in name],
            "compiled": os.path.exists(json.__cached__) and os.stat(json.__cached__).st_nlink > 1,
        }

    return facts


@needs_other
def test_functions_bring_the_python_they_were_compiled_by(
    local_session: Any, kernel: Kernel, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image has another: the kernel's goes along, with the libraries; the second time, none."""
    kernel.install("tinylib", "1.5")
    run = made_here(pythons()[OTHER])
    found = run.submit().result(120)

    assert found["version"] == tuple(sys.version_info[:2])
    assert found["prefix"].startswith(os.environ["NBBATCH_HOME"])
    assert (found["program"], found["library"]) == (HERE, "1.5")
    assert (found["argv"], found["key"]) == (1, [])
    sent = layers()
    # Nothing is asked for again.
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(downloads.parent / "none.json"))
    # What was compiled meanwhile, for later jobs, came from the store.
    later = run.submit().result(120)
    assert (found["compiled"], later["compiled"]) == (False, True)
    assert layers() == sent


@needs_other
@pytest.mark.parametrize("told", [True, False], ids=["changed", "unknown"])
def test_an_image_with_another_python_than_was_thought(
    local_session: Any, monkeypatch: pytest.MonkeyPatch, downloads: Path, told: bool
) -> None:
    """The job says so, and starts again by itself, with an interpreter."""
    target = Target("an-image:1", HERE, os.uname().machine)
    monkeypatch.setattr(current_session().backend.runner, "target", lambda options: target)
    if told:
        facts = {"python": HERE, "machine": target.machine, "libc": "glibc 2.36", "packages": {}}
        current_session().supply._librarian.learn("an-image:1", facts)

    @batch(executable=pythons()[OTHER])
    def version() -> Any:
        import sys

        return sys.version_info[:2]

    assert version.submit().result(120) == sys.version_info[:2]


@needs_other
@pytest.mark.parametrize("image", [True, False], ids=["image", "interpreter"])
def test_none_can_be_had(
    local_session: Any, monkeypatch: pytest.MonkeyPatch, none_offered: None, image: bool
) -> None:
    """The error says why, and names the image to use, or what else would do."""
    if image:
        target = Target("team/train:1", OTHER, os.uname().machine)
        monkeypatch.setattr(current_session().backend.runner, "target", lambda options: target)

    @batch(executable=pythons()[OTHER])
    def nothing() -> None:
        pass

    with pytest.raises(ImageError) as caught:
        nothing.submit()
    error = caught.value
    assert f"bytecode of the kernel's Python {HERE}, and Python {OTHER} is there" in error.cause
    assert "uv says" in error.cause
    assert (f"--image python:{HERE}" if image else "--executable") in error.hint


@needs_other
@pytest.mark.parametrize("env", ["image", "none"])
def test_none_is_sent_where_the_image_is_to_do(
    local_session: Any, downloads: Path, env: str
) -> None:
    """`env` says so: then the error does not wait for the job."""

    @batch(executable=pythons()[OTHER], env=env)
    def nothing() -> None:
        pass

    with pytest.raises(ImageError, match=f"env = '{env}' sends none"):
        nothing.submit()


@pytest.mark.parametrize("env", ["auto", "image", "none"])
def test_a_python_that_is_nowhere(notebook: Notebook, none_offered: None, env: str) -> None:
    """Neither on this machine nor to be had: it says what to do."""
    error = notebook.failing("x = 1", f"--python 3.99 --env {env}")

    assert isinstance(error, OptionError)
    assert "3.99" in str(error)
    assert "--executable" in error.hint


@needs_other
def test_a_cell_asks_for_another_python(
    notebook: Notebook,
    kernel: Kernel,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not on this machine: it goes along, and the kernel's plain libraries work with it."""
    kernel.install("tinylib", "1.5")
    folder = tmp_path_factory.mktemp("other")
    told = standalone(shipped(pythons()[OTHER]), folder, os.uname().machine)
    (folder / "downloads.json").write_text(json.dumps(told))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(folder / "downloads.json"))
    monkeypatch.setattr(environments, "interpreter", lambda python: None)
    notebook.run(f"%batch env --python {OTHER}")
    assert f"Python {OTHER} goes along: --python asks for it" in capsys.readouterr().out
    notebook.batch(
        "import sys, tinylib\nv = '%d.%d' % sys.version_info[:2]\nw = tinylib.__version__",
        f"--python {OTHER}",
    )

    assert (notebook["v"], notebook["w"]) == (OTHER, "1.5")


@needs_other
def test_functions_that_another_python_made_stay(notebook: Notebook) -> None:
    """Their bytecode would end the kernel; they are named, and what is no function comes back."""
    body = "def f(): return 1\nclass K:\n    def m(self): return 2\nv, k = f(), K()"
    with pytest.warns(RuntimeWarning, match="is bytecode of Python") as warned:
        notebook.batch(body, f"--executable {pythons()[OTHER]}")

    assert notebook["v"] == 1
    assert not {"f", "K", "k"} & set(notebook.namespace)
    said = f"f is bytecode of Python {OTHER}, and the notebook has Python {HERE}"
    assert any(said in str(each.message) for each in warned)
