"""The browser and the JupyterLabs that the tests of this folder share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import CHROMIUM, FLAGS, Lab


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that depends on the kernel on each kernelspec that is named for it."""
    if "kernel" in metafunc.fixturenames:
        named = os.environ.get("NBBATCH_TEST_KERNELS", "python3")
        metafunc.parametrize("kernel", named.split(","))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; where it is demanded, its absence is a failure."""
    if not Path(CHROMIUM).exists():
        missing = f"no {CHROMIUM}: run .ci/install-browser"
        if os.environ.get("CI") or os.environ.get("NBBATCH_REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab, in the light theme."""
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def dark_lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab, in the dark theme."""
    server = Lab(tmp_path_factory.mktemp("dark"), theme="JupyterLab Dark")
    yield server
    server.close()
