"""The kernel's libraries on an image with Python alone, and on one that has them all."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from nbbatch.errors import LibraryError
from nbbatch.session import current_session
from tests.containers.rig import Rig
from tests.containers.test_round_trip import account, same_python, science, settings

__all__ = ["account", "science", "settings"]

pytestmark = [pytest.mark.containers, same_python]

LIBRARIES = ("numpy", "pandas", "scikit-learn", "matplotlib")
CELL = """
import numpy as np, pandas as pd, matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.linear_model import LinearRegression
from toolbox.shapes import scaled
from importlib.metadata import distributions

data = pd.DataFrame({"x": np.arange(5.0), "y": scaled(np.arange(5.0))})
slope = float(LinearRegression().fit(data[["x"]], data["y"]).coef_[0])
figure, axes = plt.subplots()
axes.plot(data["x"], data["y"])
came = {d.name: d.version for d in distributions() if "nbbatch-libraries" in str(d.locate_file(""))}
assert set(names) <= set(came), sorted(came)
assert came == {name: kernel[name] for name in came}
home = np.__file__
"""


@pytest.fixture
def toolbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a package of two modules and a data file beside the notebook."""
    package = tmp_path / "toolbox"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "factor.txt").write_text("3")
    (package / "data.py").write_text(
        "from pathlib import Path\n"
        "factor = int((Path(__file__).parent / 'factor.txt').read_text())\n"
    )
    (package / "shapes.py").write_text(
        "from toolbox.data import factor\nimport scipy\n"
        "def scaled(values):\n    return values * factor\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def sent() -> dict[str, float]:
    """Return the libraries in the store, with the time at which each came."""
    store = current_session().backend.store
    return {key: at for key, _, at in store.list("layers/")}


def test_a_cell_with_everything(
    account: Rig, shell: Any, toolbox: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs unchanged on an image with nothing; the second one builds and sends nothing.

    The cell itself compares the versions of all that came with the kernel's.
    """
    shell.user_ns["names"] = [*LIBRARIES, "scipy", "joblib", "pillow", "contourpy"]
    shell.user_ns["kernel"] = {each.name: each.version for each in distributions()}
    shell.run_cell("%%batch --memory 2G" + CELL).raise_error()
    came = shell.user_ns["came"]
    assert shell.user_ns["slope"] == pytest.approx(3)
    assert "nbbatch-libraries" in shell.user_ns["home"]
    current_session().supply.settle()
    before = sent()

    def refuse(*_: Any) -> None:
        raise AssertionError("something is built")

    monkeypatch.setattr("nbbatch.libraries.librarian.send", refuse)
    shell.run_cell("%%batch --memory 2G" + CELL).raise_error()

    assert shell.user_ns["came"] == came
    assert before
    assert sent() == before


def test_an_image_that_has_it_all(account: Rig, shell: Any, science: str, toolbox: None) -> None:
    """The first job learns what the image has; from then on none of that is sent."""
    before = set(sent())
    line = f"%%batch --memory 2G --image {science}"
    body = "\nimport pandas\nhome = pandas.__file__"
    shell.run_cell(f"{line} --env image{body}").raise_error()
    assert shell.user_ns["home"].startswith("/usr/lib/python3")
    shell.run_cell(line + body).raise_error()

    assert shell.user_ns["home"].startswith("/usr/lib/python3")
    # What this process has loaded of pandas' extras may go, pandas itself does not.
    store = current_session().backend.store
    assert sum(store.size(key) or 0 for key in set(sent()) - before) < 4 << 20


def test_an_image_that_lacks_it(account: Rig, shell: Any) -> None:
    """With --env image the first job finds out, and the second is refused at once."""
    before = sent()
    line, body = "%%batch --memory 512M --env image", "\nimport pandas"
    first = shell.run_cell(line + body)
    second = shell.run_cell(line + body)

    assert isinstance(first.error_in_exec, ModuleNotFoundError)
    assert isinstance(second.error_in_exec, LibraryError)
    assert "pandas" in str(second.error_in_exec)
    assert sent() == before


#: Gives this process, and the servers and containers that it starts, loopback and nothing else.
OFFLINE = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_:
    # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
    fcntl.ioctl(any_, 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_without_a_network(account: Rig) -> None:
    """The same where nothing can be reached but S3 (and Batch): not from the kernel either."""
    inner = f"{__file__}::test_a_cell_with_everything"
    pytest_ = ["-m", "pytest", "-q", "-n", "0", "-m", "containers", "-p", "no:cacheprovider", inner]
    command = ["unshare", "--net", sys.executable, "-c", OFFLINE, *pytest_]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=root)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "1 passed" in done.stdout


def test_the_image_has_no_installer(account: Rig) -> None:
    """Neither pip nor a compiler: nothing is built there."""
    done = subprocess.run(
        ["podman", "run", "--rm", account.image, "sh", "-c", "command -v pip gcc uv"],
        check=False,
        capture_output=True,
    )

    assert done.returncode != 0
    assert sys.version_info[:2] == (3, 11)
