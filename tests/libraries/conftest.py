"""A kernel's environment with small distributions of the tests' own, and a bare one for jobs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Notebook, notebook, nothing_left
from tests.libraries.interpreters import Shipped, shipped
from tests.libraries.shop import Made, install

__all__ = ["Notebook", "nothing_left", "notebook"]


class Kernel:
    """Installs distributions where this process finds them, and forgets them afterwards."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def install(self, name: str, version: str = "1.0", **facts: Any) -> Made:
        """Install a distribution; without files it has one module that knows its version."""
        module = name.replace("-", "_")
        facts.setdefault("files", {f"{module}/__init__.py": f"__version__ = {version!r}\n"})
        made = Made(name, version, **facts)
        install(made, self.site)
        # What is known of a folder holds until its time is another; the steps of that are large.
        importlib.invalidate_caches()
        return made


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give this process a folder of installed distributions of its own."""
    site = tmp_path / "kernel" / "site-packages"
    site.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)
    yield Kernel(site)
    for name in set(sys.modules) - before:
        if str(site) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a virtual environment with nothing in it; return its interpreter."""
    folder = tmp_path_factory.mktemp("bare") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a folder of wheels instead of any index; return it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    configuration = tmp_path / "uv.toml"
    configuration.write_text(f"no-index = true\nfind-links = [{str(folder)!r}]\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return folder


@pytest.fixture
def furnished(tmp_path: Path) -> Any:
    """Return what makes a virtual environment with some distributions in it."""

    def make(*content: Made) -> str:
        folder = tmp_path / "furnished"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        for made in content:
            install(made, site)
        return str(folder / "bin" / "python")

    return make


@pytest.fixture(scope="session")
def own() -> Shipped:
    """Return this process's own interpreter, as it would be shipped."""
    return shipped()
