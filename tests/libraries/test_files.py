"""What a distribution has besides its modules: data files and programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.libraries.conftest import Kernel, Notebook
from tests.libraries.shop import Made, wheel

pytestmark = pytest.mark.thorough

CLI = {"tinylib/__init__.py": "", "tinylib/cli.py": "def main():\n    print('it ran')\n"}


def test_data_and_programs_beside_the_modules(
    notebook: Notebook, kernel: Kernel, bare: str
) -> None:
    """Those that the installer put below the prefix are found by the record, and on the path."""
    content = {
        "../../share/tiny/data.txt": "data",
        "../../bin/tinytool": "#!/x/python3\nprint(9)\n",
    }
    content["../../../outside.txt"] = "not of the environment"
    kernel.install("tinylib", files={**CLI, **content})
    (kernel.site / "../../bin/tinytool").resolve().chmod(0o755)
    notebook.batch(
        "import tinylib, importlib.metadata as m\n"
        "files = {str(f): f.locate().is_file() for f in m.files('tinylib')}\n"
        "(found,) = [f for f in m.files('tinylib') if f.name == 'data.txt']\n"
        "text = found.locate().read_text()\n"
        "printed = !tinytool",
        f"--executable {bare}",
    )

    assert notebook["text"] == "data"
    assert notebook["printed"] == ["9"]
    assert notebook["files"]["share/tiny/data.txt"]
    assert not notebook["files"]["../../../outside.txt"]


def test_programs_of_wheels(notebook: Notebook, wheels: Path, bare: str) -> None:
    """They run with the job's Python, not with the one that installed them here."""
    scripts = {"tinyprog": "tinylib.cli:main"}
    wheel(Made("tinylib", "1.5", CLI, scripts=scripts), wheels)
    notebook.batch(
        "printed = !tinyprog\n"
        "import shutil, pathlib\n"
        "text = pathlib.Path(shutil.which('tinyprog')).read_text()",
        f"--executable {bare} --pypi tinylib",
    )

    assert notebook["printed"] == ["it ran"]
    assert notebook["text"].startswith("#!/bin/sh\n")
    assert notebook["text"].count("import") == 2


@pytest.mark.parametrize("name", ["bin/tool.py", "share/__init__.py"])
def test_modules_of_these_names(notebook: Notebook, kernel: Kernel, bare: str, name: str) -> None:
    """A package that is called `bin` is one."""
    kernel.install("tinylib", files={**CLI, name: "value = 5\n"})
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    notebook.batch(f"import tinylib, {module} as it\nv = it.value", f"--executable {bare}")

    assert notebook["v"] == 5
