"""What is learnt of an image, and what happens where it is not as it was taken to be."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch.backends.base import Target
from nbbatch.session import Session, current_session
from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.shop import Made

pytestmark = pytest.mark.thorough

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch, local_session: Session) -> Any:
    """Have the local backend know no more of its interpreters than AWS does of images."""

    def be(name: str, **known: Any) -> None:
        target = Target(name, **{"python": HERE, "machine": os.uname().machine, **known})
        monkeypatch.setattr(current_session().backend.runner, "target", lambda options: target)

    return be


def learnt() -> dict[str, Any]:
    """Return the distributions that the first job has told of."""
    supply = current_session().supply
    target = supply._backend.runner.target(nbbatch.options.Options())
    return dict(supply._librarian.known(target).packages)


def test_the_first_job_tells(
    notebook: Notebook, kernel: Kernel, furnished: Any, image: Any
) -> None:
    """What the image has, in which version; from then on that is not sent."""
    kernel.install("tinylib", "1.2")
    there = furnished(Made("tinylib", "1.2", {"tinylib/__init__.py": ""}), Made("Other.Lib"))
    image("an-image:1")
    cell = "import tinylib\nhome = tinylib.__file__"
    notebook.batch(cell, f"--executable {there}")
    assert os.environ["NBBATCH_HOME"] in notebook["home"]
    assert learnt() == {"tinylib": "1.2", "other-lib": "1.0"}
    notebook.batch(cell, f"--executable {there}")

    assert notebook["home"].startswith(str(Path(there).parent.parent))


def test_an_image_that_has_changed(
    notebook: Notebook,
    kernel: Kernel,
    furnished: Any,
    image: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Under the same name another content: the job starts again by itself, with what it lacks."""
    kernel.install("tinylib", "1.2")
    there = furnished(Made("tinylib", "1.3", {"tinylib/__init__.py": ""}))
    image("an-image:1")
    facts = {"python": HERE, "machine": os.uname().machine, "libc": "glibc 2.36"}
    current_session().supply._librarian.learn(
        "an-image:1", {**facts, "packages": {"tinylib": "1.2"}}
    )
    notebook.batch("import tinylib\nv = tinylib.__version__", f"--executable {there}")

    assert notebook["v"] == "1.2"
    assert "starts again: what the image has is known now" in capsys.readouterr().out


def test_an_image_that_was_refused_and_has_changed(
    notebook: Notebook, kernel: Kernel, furnished: Any, image: Any
) -> None:
    """Who has mended an image under its old name runs the cell again: the job looks anew."""
    kernel.install("tinylib", "1.2")
    there = furnished(Made("tinylib", "1.2", {"tinylib/__init__.py": "__version__ = '1.2'\n"}))
    image("an-image:1")
    facts = {"python": HERE, "machine": os.uname().machine, "libc": "glibc 2.36"}
    current_session().supply._librarian.learn("an-image:1", {**facts, "packages": {}})
    cell, line = "import tinylib\nv = tinylib.__version__", f"--executable {there} --env image"
    error = notebook.failing(cell, line)
    notebook.batch(cell, line)

    assert "tinylib 1.2 is not there" in error.cause
    assert "run it again" in error.hint
    assert (notebook["v"], learnt()) == ("1.2", {"tinylib": "1.2"})


def test_another_platform_than_was_thought(
    notebook: Notebook, kernel: Kernel, bare: str, image: Any
) -> None:
    """What was built for another processor is built again for this one."""
    kernel.install("tinylib", "1.2")
    image("an-image:1", machine="another")
    notebook.batch("import tinylib\nv = tinylib.__version__", f"--executable {bare} --retries 1")

    assert notebook["v"] == "1.2"


def test_a_library_that_was_deleted(
    notebook: Notebook, kernel: Kernel, bare: str, tmp_path: Path
) -> None:
    """What is gone from the store is sent again, by itself."""
    kernel.install("tinylib", "1.2")
    cell = "import tinylib\nv = tinylib.__version__"
    notebook.batch(cell, f"--executable {bare}")
    session = current_session()
    session.supply.settle()
    session.backend.store.delete([key for key, _, _ in session.backend.store.list("layers/")])
    kept = f"--executable {bare} --library-cache {tmp_path / 'other'}"
    notebook.batch(cell, kept)

    assert notebook["v"] == "1.2"


def test_a_library_that_was_altered(
    notebook: Notebook, kernel: Kernel, bare: str, tmp_path: Path
) -> None:
    """What is in the store and not what was sealed is refused, and none of it is run."""
    kernel.install("tinylib", "1.2")
    notebook.batch("import tinylib", f"--executable {bare}")
    store = current_session().backend.store
    current_session().supply.settle()
    for key, _, _ in list(store.list("layers/")):
        store.put(key, [(store.get(key) or b"")[:-1] + b"!"])
    mark = tmp_path / "ran"
    cell = f"import tinylib\nopen({str(mark)!r}, 'w').close()"
    line = f"--executable {bare} --library-cache {tmp_path / 'other'}"
    error = notebook.failing(cell, line)

    assert "not what was sealed" in str(error)
    assert not mark.exists()


def test_an_array_on_an_image_that_has_changed(
    notebook: Notebook, kernel: Kernel, furnished: Any, image: Any
) -> None:
    """All its children are refused: it starts again as a whole, by itself, and is one job."""
    kernel.install("tinylib", "1.2")
    there = furnished(Made("tinylib", "1.3", {"tinylib/__init__.py": ""}))
    image("an-image:1")
    facts = {"python": HERE, "machine": os.uname().machine, "libc": "glibc 2.36"}
    current_session().supply._librarian.learn(
        "an-image:1", {**facts, "packages": {"tinylib": "1.2"}}
    )

    @nbbatch.batch(executable=there)
    def version(x: int) -> Any:
        import tinylib

        return x, tinylib.__version__

    job = version.map(range(3))
    assert job.result(60) == [(n, "1.2") for n in range(3)]
    assert job.facts.outcome == "ok"
    again: Any = nbbatch.attach(job.id)
    assert again[2] == (2, "1.2")
