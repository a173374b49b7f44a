"""The browser and the JupyterLabs that the tests of this folder share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests import kernels
from tests.browser.lab import CHROMIUM, FLAGS, PATIENCE, Lab

DARK = "JupyterLab Dark"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that depends on the kernel with each ipykernel that is named for it.

    The test gets the name of the kernelspec.
    """
    if "kernel" in metafunc.fixturenames:
        versions = kernels.named()
        names = [kernels.spec_of(version) for version in versions]
        metafunc.parametrize("kernel", names, ids=versions)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; where it is demanded, its absence is a failure."""
    if not Path(CHROMIUM).exists():
        missing = f"no {CHROMIUM}: run .ci/install-browser"
        if os.environ.get("CI") or os.environ.get("NBBATCH_REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, headless=True, timeout=1000 * PATIENCE
        )
        yield chromium
        chromium.close()


@contextlib.contextmanager
def _server(
    folders: pytest.TempPathFactory, name: str, theme: str = "JupyterLab Light", **kwargs: str
) -> Iterator[Lab]:
    with contextlib.closing(Lab(folders.mktemp(name), theme=theme, **kwargs)) as server:
        yield server


@pytest.fixture(scope="session")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab, in the light theme."""
    with _server(tmp_path_factory, "lab") as server:
        yield server


@pytest.fixture(scope="session")
def dark_lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab, in the dark theme."""
    with _server(tmp_path_factory, "dark", DARK) as server:
        yield server


@pytest.fixture(scope="session")
def contrast_lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab, in the dark theme of high contrast."""
    with _server(tmp_path_factory, "contrast", f"{DARK} High Contrast") as server:
        yield server


@pytest.fixture(scope="session")
def notebook7(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One Notebook 7, in the light theme."""
    with _server(tmp_path_factory, "notebook", application="notebook") as server:
        yield server


@pytest.fixture(scope="session")
def dark_notebook7(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One Notebook 7, in the dark theme."""
    with _server(tmp_path_factory, "dark-notebook", DARK, application="notebook") as server:
        yield server
