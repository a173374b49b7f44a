"""The whole way: kernel, S3, Batch, a real container with nothing but Python, and back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

import nbbatch
from nbbatch.errors import ImageError
from tests.containers.rig import Rig, build_with
from tests.servers import KEYS

pytestmark = pytest.mark.containers

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
LIBRARIES = ("numpy", "pandas", "scikit-learn", "matplotlib")


#: The image has one Python, and functions travel as bytecode.
same_python = pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="needs Python 3.11")


def settings(rig: Rig) -> dict[str, str]:
    """Return the environment of a user with an account, a bucket and a queue."""
    return {
        **KEYS,
        "AWS_DEFAULT_REGION": rig.region,
        "AWS_ENDPOINT_URL": rig.endpoint,
        "NBBATCH_S3_ROOT": f"s3://{rig.bucket}/user",
        "NBBATCH_QUEUE": rig.queue,
        "NBBATCH_IAM_ROLE": rig.job_role,
        "NBBATCH_IMAGE": rig.image,
    }


@pytest.fixture
def account(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Be that user."""
    for name, value in settings(rig).items():
        monkeypatch.setenv(name, value)
    return rig


@pytest.fixture
def science(rig: Rig, tmp_path: Path) -> str:
    """Build an image that has the notebook's libraries, in the kernel's versions."""
    name = "docker.io/library/nbbatch-quickstart:test"
    build_with(LIBRARIES, rig.image, name, tmp_path)
    return name


@same_python
def test_functions_run_in_the_container(account: Rig) -> None:
    """A function with its globals, a large value both ways, output, an exception."""
    offset = 5

    @nbbatch.batch(memory="512M")
    def there(data: bytes) -> tuple[bool, int, bytes]:
        print("in the container")
        return Path("/.dockerenv").exists() or os.getpid() < 50, offset, data[::-1]

    @nbbatch.batch(memory="512M")
    def fails() -> None:
        raise KeyError("not there")

    data = os.urandom(3 << 20)
    job = there.submit(data)
    failing = fails.submit()

    assert job.result(600) == (True, 5, data[::-1])
    assert job.logs() == "in the container\n"
    assert job.facts.backend == "aws"
    with pytest.raises(KeyError, match="not there"):
        failing.result(600)


def test_a_cell_runs_in_the_container(
    account: Rig, shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names go and come back, with magics and displays, on an image without IPython."""
    shell.run_cell("xs = [3, 1, 2]\nys = xs").raise_error()
    body = "xs.sort()\nn = len(xs)\n!echo from the shell\nprint('n is', n)"
    shell.run_cell(f"%%batch --memory 512M\n{body}").raise_error()

    assert shell.user_ns["ys"] is shell.user_ns["xs"]
    assert shell.user_ns["xs"] == [1, 2, 3]
    assert "from the shell\nn is 3\n" in capsys.readouterr().out.replace("\r", "")


@same_python
def test_an_image_without_the_library_says_so(account: Rig) -> None:
    """Where nothing is sent, a value that needs a library is refused before anything runs."""
    import numpy as np

    with pytest.raises(ImageError, match="No module named 'numpy'") as caught:
        nbbatch.batch(memory="512M", env="none")(len).submit(np.arange(3)).result(600)

    assert "--image" in caught.value.hint


@same_python
def test_the_quickstart_runs_unchanged(account: Rig, science: str, tmp_path: Path) -> None:
    """The notebook of the README's first command runs on AWS Batch as it is."""
    target = tmp_path / "executed.ipynb"
    command = [sys.executable, "-m", "nbbatch.cli", "run", str(NOTEBOOK), "-o", str(target)]
    run = subprocess.run(
        command,
        env={**os.environ, "NBBATCH_IMAGE": science},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    assert "on aws" in run.stdout or "Succeeded" in run.stdout
    executed = nbformat.read(target, as_version=4)
    kinds = [m for c in executed.cells for o in c.get("outputs", []) for m in o.get("data", {})]
    assert "image/png" in kinds
    assert kinds.count("text/html") >= 5
